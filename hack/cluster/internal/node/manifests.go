package node

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"text/template"
)

//go:embed manifests/*.yaml
var manifests embed.FS

func (s *supervisor) render(name string, c Config) (io.Reader, error) {
	parsed, err := template.ParseFS(manifests, "manifests/"+name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, map[string]any{
		"NodeIP": nodeIP, "DNSIP": dnsIP, "GatewayIP": gatewayIP, "GitIP": gitIP,
		"Envoy": c.Envoy, "Replicas": gatewayReplicas, "ReadyHost": readyHost,
	})
	return &out, err
}

// applyManifest applies one of our manifests, again until the API knows all its kinds.
func (s *supervisor) applyManifest(ctx context.Context, name string, c Config) error {
	return eventually(ctx, "apply "+name, func(ctx context.Context) error {
		in, err := s.render(name, c)
		if err != nil {
			return err
		}
		return s.kubectlApply(ctx, in, "-f", "-")
	})
}

func (s *supervisor) applyCRDs(ctx context.Context, dir string) error {
	return eventually(ctx, "apply CRDs", func(ctx context.Context) error {
		return s.kubectlApply(ctx, nil, "--recursive", "-f", dir)
	})
}

func (s *supervisor) kubectlApply(ctx context.Context, in io.Reader, args ...string) error {
	all := append([]string{"--cache-dir", state("kubectl"), "apply", "--server-side", "--force-conflicts"}, args...)
	kubectl := exec.CommandContext(ctx, s.bin["kubectl"], all...)
	kubectl.Env = environment(s.dir.Bin(), nil)
	kubectl.Stdin = in
	if out, err := kubectl.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// importImages loads archives into containerd.
func (s *supervisor) importImages(ctx context.Context, archives []string) error {
	for _, archive := range archives {
		ctr := exec.CommandContext(ctx, s.bin["ctr"], ImportArgs(archive)...)
		if out, err := ctr.CombinedOutput(); err != nil {
			return fmt.Errorf("import %s: %w\n%s", archive, err, out)
		}
	}
	return nil
}

// ImportArgs are the arguments with which ctr imports an archive.
func ImportArgs(archive string) []string {
	return []string{"--address", containerdSocket, "--namespace", "k8s.io", "images", "import", "--local", archive}
}

func logTail(path string) string {
	content, _ := os.ReadFile(path)
	if len(content) > 2000 {
		content = content[len(content)-2000:]
	}
	return string(content)
}
