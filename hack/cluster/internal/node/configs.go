package node

import "fmt"

func containerdConfig(pauseImage, binDir string) string {
	return fmt.Sprintf(`version = 3
root = %q
state = %q
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = %q

[debug]
  level = "warn"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = %q

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  netns_mounts_under_state_dir = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = [%q]
  conf_dir = "/etc/cni/net.d"
`, state("containerd/root"), state("containerd/state"), containerdSocket, pauseImage, binDir)
}

// Images cannot be pulled again, so that none is ever collected; and nothing is
// evicted because the machine, which others use too, is nearly full.
func kubeletConfig(cgroup string) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %s}
authorization: {mode: Webhook}
tlsCertFile: %s
tlsPrivateKeyFile: %s
containerRuntimeEndpoint: unix://%s
cgroupDriver: cgroupfs
cgroupRoot: /%s
cgroupsPerQOS: true
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
clusterDNS: [%s]
clusterDomain: cluster.local
resolvConf: /etc/resolv.conf
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
maxPods: 200
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 0%%, nodefs.available: 0%%, nodefs.inodesFree: 0%%, imagefs.available: 0%%, imagefs.inodesFree: 0%%}
`, pki("ca.crt"), pki("admin.crt"), pki("admin.key"), containerdSocket, cgroup, dnsIP)
}

const kubeProxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: ` + podCIDR + `
clientConnection: {kubeconfig: ` + StateDir + `/kubeconfig/kube-proxy}
nftables: {minSyncPeriod: 50ms}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`

// Names outside the cluster do not exist, and are refused at once: an image
// that is not there fails to be pulled without a wait.
const corefile = `cluster.local:53 in-addr.arpa:53 {
  bind ` + nodeIP + `
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ` + StateDir + `/kubeconfig/admin
    pods insecure
    ttl 5
  }
  cache 5
  loadbalance
}
.:53 {
  bind ` + nodeIP + `
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`
