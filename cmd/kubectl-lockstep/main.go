// Command kubectl-lockstep releases a whole stack of services as one thing.
package main

import (
	"cmp"
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/lockstep-dev/lockstep/internal/cli"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// version is set by the linker; without it the build says what it knows of itself.
var version string

func main() {
	render.MaybeChild()
	cli.Silence()
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options := cli.Defaults()
	options.Version = cmp.Or(version, options.Version)
	return cli.Run(ctx, cli.New(options))
}
