package node

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A bridge without ports holds the node's address: the API refuses loopback
// addresses in EndpointSlices. Service addresses need a route for kube-proxy's
// rules to see their packets. Whatever lies outside fails at once.
const links = `link set lo up
link add node0 type bridge
addr add ` + nodeIP + `/24 dev node0
link set node0 up
route add ` + serviceIPs + ` dev node0
route add unreachable default
`

const resolvConf = "nameserver " + dnsIP + "\noptions timeout:1 attempts:2\n"

const hosts = "127.0.0.1 localhost\n::1 localhost\n" + nodeIP + " " + nodeName + "\n"

const cniConfig = `{
  "cniVersion": "1.0.0",
  "name": "lockstep",
  "plugins": [{
    "type": "ptp",
    "ipMasq": false,
    "ipam": {
      "type": "host-local",
      "dataDir": "` + StateDir + `/ipam",
      "ranges": [[{"subnet": "` + podCIDR + `"}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
`

func setUpNetwork() error {
	ip := exec.Command("ip", "-batch", "-")
	ip.Stdin = strings.NewReader(links)
	if out, err := ip.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -batch: %w\n%s", err, out)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	_ = os.Remove("/etc/resolv.conf") // often a link into the /run that is masked
	return writeFiles(map[string]string{
		"/etc/resolv.conf":               resolvConf,
		"/etc/hosts":                     hosts,
		"/etc/cni/net.d/10-ptp.conflist": cniConfig,
	})
}
