// Command cluster runs Lockstep's local cluster: a single-node Kubernetes with
// istiod and Envoy gateways, built from Go modules, inside namespaces of its own.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

const usage = `Usage: cluster COMMAND [--name NAME] …

  build                     build what is missing, into the cache
  up                        build, start, wait until the cluster may be used
  down                      end it; nothing stays
  status                    tell whether it is up, and what one needs to use it
  env                       print lines for a shell: eval "$(… env)"
  logs [COMPONENT]          print the daemon's log, or a component's; list them with -l
  metrics                   add metrics-server, which is built first (2 min)
  load ARCHIVE…             import image archives
  image --tag T --binary B --output F …
                            build an image from static binaries
  run [--dir DIR] -- CMD …  run a command inside the cluster's network
  assets                    print the directory for envtest's KUBEBUILDER_ASSETS
  crds                      print the directory of the gateway APIs' CRDs
  selftest                  start a cluster, try everything, kill it, look for leftovers
`

// streams are where a command writes to.
type streams struct{ out, err io.Writer }

type command func(args []string, s streams) error

func commands() map[string]command {
	return map[string]command{
		"build": build, "up": up, "down": down, "status": status, "env": env, "logs": logs,
		"load": load, "metrics": metrics, "image": buildImage, "run": runInside, "assets": assets, "crds": crds,
		"selftest":       selfTest,
		"internal-watch": internalWatch, "internal-init": internalInit, "internal-serve": internalServe,
	}
}

func main() {
	err := dispatch(os.Args[1:], streams{os.Stdout, os.Stderr})
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func dispatch(args []string, s streams) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		fmt.Fprint(s.out, usage)
		return nil
	}
	run, found := commands()[args[0]]
	if !found {
		return fmt.Errorf("no command %q\n\n%s", args[0], usage)
	}
	return run(args[1:], s)
}
