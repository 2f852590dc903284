// Command kubectl-lockstep releases a whole stack of services as one thing.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/lockstep-dev/lockstep/internal/cli"
	"github.com/lockstep-dev/lockstep/internal/render"
)

func main() {
	render.MaybeChild()
	cli.Silence()
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, cli.New(cli.Defaults()))
}
