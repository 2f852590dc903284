package node

import (
	"os"
	"strings"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// program is a component as it is started.
type program struct {
	name string // also the name of its log
	bin  string // if it is not called like its binary
	args []string
	env  []string
}

// programs is everything that a node runs, by name.
func programs() map[string]program {
	all := []program{
		etcdProgram(), apiServer(), controllerManager(), scheduler(), kubelet(), kubeProxy(),
		{name: "containerd", args: flags("--config " + state("containerd.toml"))},
		{name: "coredns", args: flags("-conf " + state("Corefile"))},
		istiod(),
	}
	byName := map[string]program{}
	for _, p := range all {
		byName[p.name] = p
	}
	return byName
}

// flags splits lines of command-line arguments that hold no spaces.
func flags(lines string) []string { return strings.Fields(lines) }

func etcdProgram() program {
	return program{name: "etcd", args: flags(`
		--data-dir ` + state("etcd") + `
		--unsafe-no-fsync
		--log-level warn
		--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
		--listen-peer-urls http://127.0.0.1:2380`)}
}

func apiServer() program {
	return program{name: "kube-apiserver", args: flags(`
		--etcd-servers=http://127.0.0.1:2379
		--bind-address=0.0.0.0 --advertise-address=` + nodeIP + `
		--service-cluster-ip-range=` + serviceIPs + `
		--authorization-mode=Node,RBAC
		--enable-admission-plugins=NodeRestriction
		--allow-privileged=true
		--profiling=false
		--client-ca-file=` + pki("ca.crt") + `
		--tls-cert-file=` + pki("admin.crt") + ` --tls-private-key-file=` + pki("admin.key") + `
		--kubelet-client-certificate=` + pki("admin.crt") + ` --kubelet-client-key=` + pki("admin.key") + `
		--kubelet-preferred-address-types=InternalIP
		--service-account-issuer=https://kubernetes.default.svc
		--service-account-key-file=` + pki("ca.key") + `
		--service-account-signing-key-file=` + pki("ca.key") + `
		--requestheader-client-ca-file=` + pki("ca.crt") + `
		--requestheader-allowed-names=` + frontProxy + `
		--requestheader-username-headers=X-Remote-User
		--requestheader-group-headers=X-Remote-Group
		--requestheader-extra-headers-prefix=X-Remote-Extra-
		--proxy-client-cert-file=` + pki(frontProxy+".crt") + ` --proxy-client-key-file=` + pki(frontProxy+".key"))}
}

func controllerManager() program {
	return program{name: "kube-controller-manager", args: flags(`
		--kubeconfig=` + kubeconfig("kube-controller-manager") + `
		--bind-address=127.0.0.1
		--leader-elect=false
		--profiling=false
		--use-service-account-credentials=true
		--horizontal-pod-autoscaler-sync-period=2s
		--service-account-private-key-file=` + pki("ca.key") + `
		--root-ca-file=` + pki("ca.crt") + `
		--cluster-signing-cert-file=` + pki("ca.crt") + ` --cluster-signing-key-file=` + pki("ca.key"))}
}

func scheduler() program {
	return program{name: "kube-scheduler", args: flags(`
		--kubeconfig=` + kubeconfig("kube-scheduler") + `
		--bind-address=127.0.0.1
		--leader-elect=false
		--profiling=false`)}
}

func kubelet() program {
	return program{name: "kubelet", args: flags(`
		--config=` + state("kubelet.yaml") + `
		--kubeconfig=` + kubeconfig("kubelet") + `
		--hostname-override=` + nodeName + `
		--node-ip=` + nodeIP)}
}

func kubeProxy() program {
	return program{name: "kube-proxy", args: flags(`
		--config=` + state("kube-proxy.yaml") + `
		--hostname-override=` + nodeName)}
}

// The filters for metadata exchange and ALPN exist only in Istio's own proxy.
func istiod() program {
	return program{
		name: "istiod", bin: "pilot-discovery",
		args: append(flags(`discovery
			--kubeconfig `+kubeconfig("admin")+`
			--grpcAddr :15010 --httpAddr :8080 --monitoringAddr :15014`),
			"--secureGRPCAddr", "", "--httpsAddr", ""),
		env: []string{
			"POD_NAME=istiod", "POD_NAMESPACE=istio-system", "CLUSTER_ID=Kubernetes",
			"ENABLE_CA_SERVER=false", "ENABLE_LEADER_ELECTION=false",
			"VALIDATION_WEBHOOK_CONFIG_NAME=", "INJECTION_WEBHOOK_CONFIG_NAME=",
			"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false",
		},
	}
}

func writeComponentConfigs(c Config, dir rundir.Dir) error {
	return writeFiles(map[string]string{
		state("containerd.toml"): containerdConfig(c.Pause, dir.Bin()),
		state("kubelet.yaml"):    kubeletConfig(dir.Cgroup()),
		state("kube-proxy.yaml"): kubeProxyConfig,
		state("Corefile"):        corefile,
	})
}

func environment(binDir string, more []string) []string {
	env := append(os.Environ(), "PATH="+binDir+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "KUBECONFIG="+kubeconfig("admin"))
	return append(env, more...)
}
