package serve

import _ "embed"

// openAPI describes the native surface and the operation paths to programs, docsPage all surfaces to people.
var (
	//go:embed openapi.yaml
	openAPI []byte
	//go:embed docs.html
	docsPage []byte
)
