// Command fovea looks at pictures with the model inside it, trains models and measures them. See package cli.
package main

import (
	"os"

	"fovea/internal/cli"
)

func main() { os.Exit(cli.Main()) }
