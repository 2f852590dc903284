package rundir

import (
	"fmt"
	"os"
	"strings"
)

// GitInside is the Git server as Pods reach it.
const GitInside = "http://git.git-system.svc.cluster.local"

// Ports are those that are open on loopback, both outside and inside the
// cluster's network.
type Ports struct{ API, Gateway, Git int }

// Env lists what a user of the cluster sets.
func (d Dir) Env(ports Ports) []string {
	return []string{
		"KUBECONFIG=" + d.Kubeconfig(),
		"LOCKSTEP_CLUSTER=" + d.Name,
		fmt.Sprintf("LOCKSTEP_GATEWAY=127.0.0.1:%d", ports.Gateway),
		fmt.Sprintf("LOCKSTEP_GIT=http://127.0.0.1:%d", ports.Git),
		"LOCKSTEP_GIT_INSIDE=" + GitInside,
		"LOCKSTEP_KUBECTL=" + d.Bin() + "/kubectl",
	}
}

// WriteEnv writes Env as lines for a shell to read.
func (d Dir) WriteEnv(ports Ports) error {
	return os.WriteFile(d.EnvFile(), []byte(exports(d.Env(ports))), 0o644)
}

func exports(env []string) string {
	var out strings.Builder
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&out, "export %s=%s\n", name, quote(value))
	}
	return out.String()
}

// quote leaves plain words as they are, so that the lines also serve `make`.
func quote(value string) string {
	special := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@%+=", r))
	}
	if value != "" && strings.IndexFunc(value, special) < 0 {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
