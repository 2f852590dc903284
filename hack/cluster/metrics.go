package main

import (
	_ "embed"
	"os"
	"os/exec"
	"strings"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/artifact"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/launch"
)

//go:embed metrics.yaml
var metricsManifests string

// metrics adds metrics-server to a cluster that is up, and waits until it can
// tell what the node uses.
func metrics(args []string, s streams) error {
	dir, _, err := parse(args, nil)
	if err != nil {
		return err
	}
	store, err := artifact.Open(s.err)
	if err != nil {
		return err
	}
	archive, err := store.Metrics()
	if err != nil {
		return err
	}
	if err := launch.Load(dir, archive); err != nil {
		return err
	}
	manifests := strings.ReplaceAll(metricsManifests, "IMAGE", artifact.MetricsImage)
	for _, step := range [][]string{
		{"apply", "--server-side", "-f", "-"},
		{"wait", "--for=condition=Available", "--timeout=90s", "apiservice/v1beta1.metrics.k8s.io"},
	} {
		cmd := exec.Command(dir.Bin()+"/kubectl", step...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+dir.Kubeconfig())
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(manifests), s.err, s.err
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	return nil
}
