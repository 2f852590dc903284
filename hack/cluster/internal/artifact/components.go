package artifact

import (
	"errors"
	"os"
	"path/filepath"
)

// component is a Go module under components/ that only builds other people's
// programs (or a small one of ours), so that none of it enters another go.mod.
type component struct {
	name     string
	version  string // for people; what is built is decided by the module's files
	tags     string
	ldflags  string
	binaries []binary
}

type binary struct{ name, pkg string }

const (
	kubeVersion  = "v1.36.3"
	kubeRevision = "k8s.io/component-base/version."
	stripped     = "-s -w"
)

var (
	kubernetes = component{
		name: "kubernetes", version: kubeVersion,
		ldflags: stripped + " -X " + kubeRevision + "gitVersion=" + kubeVersion +
			" -X " + kubeRevision + "gitMajor=1 -X " + kubeRevision + "gitMinor=36",
		binaries: inPackage("k8s.io/kubernetes/cmd/", "kube-apiserver", "kubectl",
			"kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"),
	}
	etcd = component{
		name: "etcd", version: "v3.7.3",
		binaries: []binary{{"etcd", "go.etcd.io/etcd/server/v3"}},
	}
	containerd = component{
		name: "containerd", version: "v2.4.2", tags: "no_zfs,no_btrfs,no_devmapper",
		binaries: inPackage("github.com/containerd/containerd/v2/cmd/", "containerd", "containerd-shim-runc-v2", "ctr"),
	}
	cni = component{
		name: "cni", version: "v1.9.1",
		binaries: []binary{
			{"ptp", "github.com/containernetworking/plugins/plugins/main/ptp"},
			{"loopback", "github.com/containernetworking/plugins/plugins/main/loopback"},
			{"host-local", "github.com/containernetworking/plugins/plugins/ipam/host-local"},
		},
	}
	coredns = component{name: "coredns", version: "v1.15.0", binaries: []binary{{"coredns", "."}}}
	istio   = component{
		name: "istio", version: "1.31",
		binaries: []binary{{"pilot-discovery", "istio.io/istio/pilot/cmd/pilot-discovery"}},
	}
	gateway = component{name: "gateway", version: "ours", binaries: []binary{{"gateway", "."}}}
	pause   = component{name: "pause", version: "ours", binaries: []binary{{"pause", "."}}}
	echo    = component{name: "echo", version: "ours", binaries: []binary{{"echo", "."}}}

	// metricsServer is only built for those who ask for it.
	metricsServer = component{
		name: "metrics-server", version: "v0.9.0",
		binaries: []binary{{"metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"}},
	}

	// The order is that of the building: what is short comes first, so that a
	// mistake in the setup shows early.
	all = []component{pause, gateway, echo, cni, etcd, containerd, coredns, istio, kubernetes}
)

func inPackage(prefix string, names ...string) []binary {
	var out []binary
	for _, name := range names {
		out = append(out, binary{name, prefix + name})
	}
	return out
}

func (c component) settings() []string {
	flags := c.ldflags
	if flags == "" {
		flags = stripped
	}
	return []string{"-trimpath", "-buildvcs=false", "-tags=" + c.tags, "-ldflags=" + flags}
}

// componentsDir finds components/ from the working directory upwards, so that
// the command works from the checkout's root and from its own folder.
func componentsDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		for _, sub := range []string{"components", "hack/cluster/components"} {
			if candidate := filepath.Join(dir, sub); exists(filepath.Join(candidate, "kubernetes", "go.mod")) {
				return candidate, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("cannot find hack/cluster/components: run this inside a checkout of Lockstep")
		}
	}
}
