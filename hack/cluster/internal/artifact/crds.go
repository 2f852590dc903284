package artifact

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// crdTask copies the CRDs out of the modules that istiod is built from, so
// that they are those that it knows.
func (s *Store) crdTask() (task, error) {
	dir := filepath.Join(s.components, istio.name)
	key, err := Key(os.DirFS(dir), "crds")
	return task{
		what: "CRDs of Gateway API and Istio",
		path: filepath.Join(s.root, "crds-"+key),
		make: func(_ *progress, tmp string) error { return copyCRDs(dir, tmp) },
	}, err
}

func copyCRDs(module, to string) error {
	sources := []struct{ module, glob, dir string }{
		{"sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_*s.yaml", "gateway-api"},
		{"istio.io/istio", "manifests/charts/base/files/crd-all.gen.yaml", "istio"},
	}
	for _, source := range sources {
		from, err := moduleDir(module, source.module)
		if err != nil {
			return err
		}
		if err := copyGlob(filepath.Join(from, source.glob), filepath.Join(to, source.dir)); err != nil {
			return err
		}
	}
	return nil
}

// moduleDir downloads a dependency of the module in dir and tells where it lies.
func moduleDir(dir, path string) (string, error) {
	for _, args := range [][]string{{"mod", "download", path}, {"list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
		}
		if found := strings.TrimSpace(string(out)); found != "" {
			return found, nil
		}
	}
	return "", fmt.Errorf("module %s is not among the dependencies of %s", path, dir)
}

func copyGlob(glob, to string) error {
	files, err := filepath.Glob(glob)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("nothing matches %s", glob)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		if strings.Contains(filepath.Base(file), "_vap_") { // a policy, not a CRD
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(file)), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
