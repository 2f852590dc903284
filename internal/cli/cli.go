package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/utils/clock"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Options is what the commands need of the world.
type Options struct {
	genericclioptions.IOStreams
	Clock clock.Clock
	// Connect makes the cluster of the flags.
	Connect func(*genericclioptions.ConfigFlags) (*Cluster, error)
	// Observe reads what the next plan depends on, with the user's own rights.
	Observe func(context.Context, *Cluster, *v1alpha1.Stack) (snapshot *plan.Snapshot, assumed []string, err error)
	// Render renders a checkout, for lint.
	Render Renderer
	// Screen tells the width of the terminal that Out is, if it is one.
	Screen func() (width int, is bool)
	// Getenv reads the environment.
	Getenv func(string) string
	// Random makes the end of a Decision's name.
	Random func(n int) string
	// Logs opens the log of a container.
	Logs LogReader
	// Browse starts the browser of whoever runs the command.
	Browse func(ctx context.Context, address string) error
	// Version of this build.
	Version string
}

// app is what every command shares.
type app struct {
	Options
	flags *genericclioptions.ConfigFlags
	// connected is the cluster of the flags, once it was asked for.
	connected *Cluster
}

func (a *app) cluster() (*Cluster, error) {
	if a.connected != nil {
		return a.connected, nil
	}
	c, err := a.Connect(a.flags)
	if err == nil {
		a.connected = c
	}
	return c, err
}

// New makes the command.
func New(o Options) *cobra.Command {
	a := &app{Options: o, flags: genericclioptions.NewConfigFlags(true)}
	root := &cobra.Command{
		Use:   "kubectl-lockstep",
		Short: "Release a whole stack of services as one thing",
		Long: `Lockstep releases a whole stack of services as one thing: every service's new version beside the old ones, proven,
users moved over in one step, and back just as fast.

Exit codes: 0 done, 1 error, 2 wrong usage, 3 timed out waiting, 4 decision refused, 5 release failed. For diff, as for
kubectl diff, 1 says that something differs, and 2 that it could not be told.
kubectl's other connection flags (--as, --server, --token, …) work too.

Shells complete kubectl-lockstep with what the completion command prints. For kubectl lockstep, put an executable file
kubectl_complete-lockstep on the PATH with the two lines
  #!/bin/sh
  exec kubectl lockstep __complete "$@"`,
		Example: `  kubectl lockstep release shop --wait=Hold     # deploy the head of the branch beside what is live
  kubectl lockstep status shop --watch          # see how it goes
  kubectl lockstep promote shop --wait          # move users
  kubectl lockstep rollback shop                # and back`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl lockstep"},
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          rootArgs,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			a.warnOfSkew(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(o.In)
	root.SetOut(o.Out)
	root.SetErr(o.ErrOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	})
	a.connectionFlags(root)
	root.AddGroup(&cobra.Group{ID: groupRelease, Title: "Release:"}, &cobra.Group{ID: groupLook, Title: "Look:"}, &cobra.Group{ID: groupSetUp, Title: "Set up:"})
	root.AddCommand(a.commands()...)
	root.SetHelpCommandGroupID(groupSetUp)
	root.SetCompletionCommandGroupID(groupSetUp)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = knownTopic
		case "completion":
			cmd.Args, cmd.RunE = knownShell, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	return root
}

// knownTopic refuses to help with a command that there is not: the help that cobra shows then ends well.
func knownTopic(cmd *cobra.Command, args []string) error {
	topic, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return rootArgs(topic, rest)
	}
	return nil
}

const (
	groupRelease = "release"
	groupLook    = "look"
	groupSetUp   = "setup"
)

func (a *app) commands() []*cobra.Command {
	groups := []struct {
		id   string
		cmds []*cobra.Command
	}{
		{groupRelease, []*cobra.Command{a.releaseCommand(), a.promoteCommand(), a.abortCommand(), a.rollbackCommand(), a.retryCommand(), a.retireCommand(), a.suspendCommand(), a.resumeCommand(), a.reconcileCommand()}},
		{groupLook, []*cobra.Command{
			a.statusCommand(), a.planCommand(), a.historyCommand(), a.diffCommand(), a.graphCommand(),
			a.slotCommand(), a.logsCommand(), a.eventsCommand(), a.openCommand(),
		}},
		{groupSetUp, []*cobra.Command{a.lintCommand(), a.doctorCommand(), a.installCommand(), a.uninstallCommand(), a.versionCommand()}},
	}
	var all []*cobra.Command
	for _, g := range groups {
		for _, c := range g.cmds {
			c.GroupID = g.id
			all = append(all, c)
		}
	}
	return all
}

// hiddenFlags are the connection flags that help does not list. They work all the same.
var hiddenFlags = []string{
	"as", "as-group", "as-uid", "as-user-extra", "cache-dir", "certificate-authority", "client-certificate", "client-key", "cluster",
	"disable-compression", "insecure-skip-tls-verify", "proxy-url", "request-timeout", "server", "tls-server-name", "token", "user",
}

func (a *app) connectionFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	a.flags.AddFlags(flags)
	for _, name := range hiddenFlags {
		if f := flags.Lookup(name); f != nil {
			f.Hidden = true
		}
	}
}

func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see kubectl lockstep --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usagef("there is no command %q; %s", args[0], hint)
}

func knownShell(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("there is no completion for %q; see %s --help", args[0], cmd.CommandPath())
}

// atMostOne is for commands whose one argument may be left out.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 && cmd.Flags().Changed("wait") && slices.Contains(goalWords, strings.ToLower(args[1])) {
		return usagef("join the goal to its flag: --wait=%s", args[1])
	}
	if len(args) > 1 {
		return usagef("one %s at most, and these are %d: %s; see %s --help", argument(cmd), len(args), strings.Join(args, " "), cmd.CommandPath())
	}
	return nil
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, and %q is one; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

func argument(cmd *cobra.Command) string {
	_, arg, _ := strings.Cut(cmd.Use, " ")
	return strings.Trim(arg, "[]")
}

// Run runs the command, says what went wrong, and returns the exit code.
func Run(ctx context.Context, root *cobra.Command) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitDone
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; what was begun goes on in the cluster")
	}
	if message := err.Error(); message != "" {
		printf(root.ErrOrStderr(), "error: %s\n", message)
	}
	return ExitCode(err)
}
