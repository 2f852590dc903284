// Command lockstep-controller takes Stacks through their releases.
package main

import (
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/lockstep-dev/lockstep/internal/render"
)

// version is set by the linker.
var version string

func main() {
	// Rendering runs in a child, which is this same executable.
	render.MaybeChild()
	if err := command().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "lockstep-controller:", err)
		os.Exit(1)
	}
}
