package node

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// users are the certificates' owners; each gets a kubeconfig of its own.
var users = map[string]struct {
	name   string
	groups []string
}{
	"admin":                   {"admin", []string{"system:masters"}},
	"kubelet":                 {"system:node:" + nodeName, []string{"system:nodes"}},
	"kube-controller-manager": {"system:kube-controller-manager", nil},
	"kube-scheduler":          {"system:kube-scheduler", nil},
	"kube-proxy":              {"system:kube-proxy", nil},
	frontProxy:                {frontProxy, nil},
}

// frontProxy is what the API server calls itself to the servers that it passes
// requests on to, such as metrics-server.
const frontProxy = "front-proxy"

func pki(name string) string        { return state("pki", name) }
func kubeconfig(name string) string { return state("kubeconfig", name) }

// writeCredentials makes an authority, the servers' certificates, and the
// kubeconfigs. The one for people, at admin, goes through the loopback port
// that is open on both sides.
func writeCredentials(admin string, apiPort int) error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	files := map[string]string{pki("ca.crt"): string(ca.cert), pki("ca.key"): string(ca.key)}
	for user, who := range users {
		made, err := ca.issue(who.name, who.groups...)
		if err != nil {
			return err
		}
		files[kubeconfig(user)] = kubeconfigFor(apiURL, ca.cert, made)
		if user == "admin" {
			files[admin] = kubeconfigFor(fmt.Sprintf("https://127.0.0.1:%d", apiPort), ca.cert, made)
		}
		files[pki(user+".crt")], files[pki(user+".key")] = string(made.cert), string(made.key)
	}
	return writeFiles(files)
}

func kubeconfigFor(server string, ca []byte, user pair) string {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: lockstep
clusters:
- name: lockstep
  cluster: {server: %q, certificate-authority-data: %s}
contexts:
- name: lockstep
  context: {cluster: lockstep, user: lockstep}
users:
- name: lockstep
  user: {client-certificate-data: %s, client-key-data: %s}
`, server, encode(ca), encode(user.cert), encode(user.key))
}

func writeFiles(files map[string]string) error {
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
