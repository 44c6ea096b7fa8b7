// Package cli is the command line: one file for each command, an options struct and a run function in it. Results go to
// standard output, text for people to standard error, and every error says what to do about it. docs/reference/cli.md and
// docs/reference/json.md describe what other programs may rely on.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"charm.land/fang/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is one run of the program: its streams and the flags that all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	outStyle style
	errStyle style
	json     bool
	quiet    bool
	threads  int
	config   string
}

// Main runs the program and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the first interrupt ends the work in good order, a second one ends the program
	return Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Run runs one command line and returns its exit code.
func Run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, err: errs, outStyle: styleOf(out), errStyle: styleOf(errs)}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	var failed error
	_ = fang.Execute(ctx, root, fang.WithVersion(version()), fang.WithoutManpage(), fang.WithoutVersion(),
		fang.WithErrorHandler(func(_ io.Writer, _ fang.Styles, err error) { failed = err }))
	report(a.err, a.errStyle, failed)
	return exitCode(failed)
}

// The groups of commands in the help.
const (
	groupLook  = "look"
	groupModel = "model"
	groupHub   = "hub"
	groupOther = "other"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "fovea",
		Short: "One model looks at pictures: recognise, detect, segment, pose, answer",
		Long: `One transformer language model looks at pictures: it recognises them, finds objects and people, outlines them, answers questions and describes. ` +
			`It is inside this program; nothing leaves the machine, and nothing is downloaded unless you pull another model.`,
		Example: "fovea look photo.jpg\nfovea detect photos/ --query \"person, dog\" --json\nfovea ask photo.jpg \"how many people are there?\"",
		Args:    rootArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddGroup(&cobra.Group{ID: groupLook, Title: "look at pictures"}, &cobra.Group{ID: groupModel, Title: "train and measure"},
		&cobra.Group{ID: groupHub, Title: "published models"},
		&cobra.Group{ID: groupOther, Title: "about the program"})
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print one line of JSON per result")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print results and errors only")
	f.IntVar(&a.threads, "threads", runtime.GOMAXPROCS(0), "use at most so many threads")
	f.StringVar(&a.config, "config", "", "read defaults of flags from this YAML file")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	for _, g := range []struct {
		id   string
		cmds []*cobra.Command
	}{
		{groupLook, []*cobra.Command{a.look(), a.classify(), a.detect(), a.segment(), a.pose(), a.ask(), a.caption(), a.embed(), a.explain(), a.batch(), a.serve()}},
		{groupModel, []*cobra.Command{a.train(), a.sweep(), a.eval(), a.score(), a.compress(), a.data(), a.bench()}},
		{groupHub, []*cobra.Command{a.pull(), a.models(), a.show(), a.rm()}},
		{groupOther, []*cobra.Command{a.version(), a.man()}},
	} {
		for _, c := range g.cmds {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	finish(root, a)
	return root
}

// finish gives every command what all have: exit codes in the help, and flags from a file.
func finish(c *cobra.Command, a *app) {
	c.SilenceUsage, c.SilenceErrors = true, true
	if c.Long == "" {
		c.Long = c.Short + "."
	}
	c.Long += "\n\n" + exitHelp
	if c.HasParent() && !c.HasSubCommands() && c.PreRunE == nil {
		c.PreRunE = func(c *cobra.Command, _ []string) error { return a.settle(c) }
	}
	for _, s := range c.Commands() {
		finish(s, a)
	}
}

// settle reads the configuration file and checks the flags that all commands share.
func (a *app) settle(c *cobra.Command) error {
	if err := readConfig(a.config, c); err != nil {
		return err
	}
	if a.threads < 1 {
		return usage("", "--threads is %d, want at least 1", a.threads)
	}
	runtime.GOMAXPROCS(min(a.threads, runtime.GOMAXPROCS(0)))
	return nil
}

// rootArgs explains a word that is no command.
func rootArgs(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	word := args[0]
	if _, err := os.Stat(word); err == nil {
		return usage("did you mean fovea look "+word+"?", "%q is a file, not a command", word)
	}
	return usage(didYouMean(word, names(root), "fovea "), "unknown command %q", word)
}

func names(c *cobra.Command) (out []string) {
	for _, s := range c.Commands() {
		if s.IsAvailableCommand() {
			out = append(out, s.Name())
		}
	}
	return out
}

// flagError explains a flag that is not known or has a wrong value.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		return usage(didYouMean(name, flagNames(c), "--"), "unknown flag --%s for fovea %s", strings.TrimLeft(name, "-"), path(c))
	}
	return usage("see fovea "+path(c)+" --help", "%w", err)
}

// path is a command without the program's name.
func path(c *cobra.Command) string {
	return strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), c.Root().Name()))
}

func flagNames(c *cobra.Command) (out []string) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			out = append(out, f.Name)
		}
	})
	return out
}

// args checks the number of arguments.
func args(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		hint := "fovea " + c.Use
		if p := path(c.Parent()); p != "" {
			hint = "fovea " + p + " " + c.Use
		}
		if len(got) < least {
			return usage(hint, "%s is missing", what)
		}
		if most >= 0 && len(got) > most {
			return usage(hint, "%q is one argument too many", got[most])
		}
		return nil
	}
}
