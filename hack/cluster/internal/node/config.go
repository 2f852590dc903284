// Package node is what runs inside the cluster's namespaces: it sets up the
// network, starts every component, and says when the cluster may be used.
package node

import (
	"net"
	"os"
	"path/filepath"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// Every cluster has a network namespace of its own, so that these addresses
// can be the same in all of them.
const (
	nodeName   = "lockstep"
	nodeIP     = "192.168.77.1"
	podCIDR    = "10.244.0.0/24"
	serviceIPs = "10.96.0.0/16"
	apiIP      = "10.96.0.1"
	dnsIP      = "10.96.0.10"
	gatewayIP  = "10.96.0.80"
	gitIP      = "10.96.0.81"
	apiURL     = "https://" + nodeIP + ":6443"
	apiAddress = nodeIP + ":6443"
	gitAddress = nodeIP + ":3000"
	gatewayVIP = gatewayIP + ":80"
)

// StateDir lies on a tmpfs of the cluster's mount namespace and goes with it.
const StateDir = "/run/lockstep"

func state(parts ...string) string { return filepath.Join(append([]string{StateDir}, parts...)...) }

const containerdSocket = StateDir + "/containerd.sock"

// ContainerdSocket is where images are imported, seen from inside.
const ContainerdSocket = containerdSocket

// Config is all that the starter tells the node.
type Config struct {
	Name   string            `json:"name"`
	Bin    map[string]string `json:"bin"`
	CRDs   string            `json:"crds"`
	Cache  string            `json:"cache"`
	Images []string          `json:"images"`
	Pause  string            `json:"pause"`
	Envoy  string            `json:"envoy"`
	Ports  rundir.Ports      `json:"ports"`
}

// Inherited are the open files that a node gets from its starter, in the order
// of Files. The listeners belong to the network outside.
type Inherited struct {
	Progress *os.File
	API      *os.File
	Gateway  *os.File
	Git      *os.File
}

// Files lists them for the next process in the chain.
func (i Inherited) Files() []*os.File { return []*os.File{i.Progress, i.API, i.Gateway, i.Git} }

// Inherit finds the files that the process before has passed on.
func Inherit() Inherited {
	return Inherited{
		Progress: os.NewFile(3, "progress"), API: os.NewFile(4, "api"),
		Gateway: os.NewFile(5, "gateway"), Git: os.NewFile(6, "git"),
	}
}

func listener(file *os.File) (net.Listener, error) {
	defer file.Close()
	return net.FileListener(file)
}
