package render

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// kustomizeRoot is where the checkout lies in the file system that Kustomize sees. It is not the root of it, because ".."
// of a root is the root itself, and a path that leads out of the checkout would lead into it again, unnoticed.
const kustomizeRoot = "/checkout"

var errReadOnly = errors.New("the checkout is only read")

// kustomizeFiles is the checkout as Kustomize wants to see it. It remembers the first refusal, which Kustomize may take
// for a file that is missing.
type kustomizeFiles struct {
	*checkout
	refused error
	size    int
}

var _ filesys.FileSystem = (*kustomizeFiles)(nil)

func (f *kustomizeFiles) absolute(name string) string { return path.Join(kustomizeRoot, name) }

// local is the path relative to the checkout.
func (f *kustomizeFiles) local(name string) (string, error) {
	cleaned := path.Clean(filepath.ToSlash(name))
	if cleaned == kustomizeRoot {
		return ".", nil
	}
	below, ok := strings.CutPrefix(cleaned, kustomizeRoot+"/")
	if !ok {
		return "", f.refuse(outside("a kustomization", cleaned))
	}
	if slices.Contains(strings.Split(below, "/"), ".git") {
		_, err := join("a kustomization", ".", below)
		return "", f.refuse(err)
	}
	return below, nil
}

// refuse keeps what people must change; what merely is not there is Kustomize's to say.
func (f *kustomizeFiles) refuse(err error) error {
	if f.refused == nil && ReasonOf(err) != "" {
		f.refused = err
	}
	return err
}

func (f *kustomizeFiles) info(name string) (fs.FileInfo, error) {
	local, err := f.local(name)
	if err != nil {
		return nil, err
	}
	info, err := f.stat(local)
	return info, f.refuse(err)
}

// IsDir implements filesys.FileSystem.
func (f *kustomizeFiles) IsDir(name string) bool {
	info, err := f.info(name)
	return err == nil && info.IsDir()
}

// Exists implements filesys.FileSystem.
func (f *kustomizeFiles) Exists(name string) bool {
	_, err := f.info(name)
	return err == nil
}

// CleanedAbs implements filesys.FileSystem: links are followed, so that Kustomize finds bases that use each other.
func (f *kustomizeFiles) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	info, err := f.info(name)
	if err != nil {
		return "", "", err
	}
	local, err := f.local(name)
	if err != nil {
		return "", "", err
	}
	real, err := f.real(local)
	if err != nil {
		return "", "", f.refuse(err)
	}
	if real != local {
		if err := f.use(local); err != nil {
			return "", "", err
		}
	}
	at := f.absolute(real)
	if info.IsDir() {
		return filesys.ConfirmedDir(at), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(at)), path.Base(at), nil
}

// ReadFile implements filesys.FileSystem.
func (f *kustomizeFiles) ReadFile(name string) ([]byte, error) {
	info, err := f.info(name)
	if err != nil {
		return nil, err
	}
	local, err := f.local(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", local)
	}
	content, err := f.read(local)
	if err != nil {
		return nil, f.refuse(err)
	}
	if f.size += len(content); f.size > maxChart {
		return nil, f.refuse(refuse(v1alpha1.ReasonContentTooLarge, "the kustomization reads more than %d MiB of files, %s among them; move what the stack does not need out of it", maxChart>>20, local))
	}
	if explodes(content) {
		return nil, f.refuse(refuse(v1alpha1.ReasonRenderFailed, "%s is YAML whose aliases (*name) stand for far more than the file holds; write out what they stand for, or remove them", local))
	}
	return content, f.refuse(f.note(local, content))
}

// explodes finds aliases of aliases of aliases, which Kustomize would write out until the memory is gone. The parser that
// Kubernetes uses counts them.
func explodes(content []byte) bool {
	if !bytes.ContainsRune(content, '&') || !bytes.ContainsRune(content, '*') {
		return false
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := reader.Read()
		if err != nil {
			return false
		}
		if _, err := yaml.YAMLToJSON(document); err != nil && strings.Contains(err.Error(), "excessive aliasing") {
			return true
		}
	}
}

// note looks over a kustomization before Kustomize acts upon it, and remembers what was read: of a kustomization the
// whole directory, because a file that is added there can become part of it.
func (f *kustomizeFiles) note(local string, content []byte) error {
	if !slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(local)) {
		return f.use(local)
	}
	if err := f.use(path.Dir(local)); err != nil {
		return err
	}
	if err := f.use(local); err != nil {
		return err
	}
	return f.closed(local, content)
}

// ReadDir implements filesys.FileSystem.
func (f *kustomizeFiles) ReadDir(name string) ([]string, error) {
	local, err := f.local(name)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(f.root.FS(), local)
	if err != nil {
		return nil, f.refuse(guarded(local, err))
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, f.use(local)
}

// Open implements filesys.FileSystem.
func (f *kustomizeFiles) Open(name string) (filesys.File, error) {
	info, err := f.info(name)
	if err != nil {
		return nil, err
	}
	content, err := f.ReadFile(name)
	return &openFile{Reader: bytes.NewReader(content), info: info}, err
}

type openFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (o *openFile) Close() error               { return nil }
func (o *openFile) Stat() (os.FileInfo, error) { return o.info, nil }
func (o *openFile) Write([]byte) (int, error)  { return 0, errReadOnly }

// Glob implements filesys.FileSystem; Kustomize's own plugins name every file.
func (f *kustomizeFiles) Glob(string) ([]string, error) { return nil, errors.ErrUnsupported }

// Walk implements filesys.FileSystem; Kustomize's own plugins name every file.
func (f *kustomizeFiles) Walk(string, filepath.WalkFunc) error { return errors.ErrUnsupported }

// Create implements filesys.FileSystem.
func (f *kustomizeFiles) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir implements filesys.FileSystem.
func (f *kustomizeFiles) Mkdir(string) error { return errReadOnly }

// MkdirAll implements filesys.FileSystem.
func (f *kustomizeFiles) MkdirAll(string) error { return errReadOnly }

// RemoveAll implements filesys.FileSystem.
func (f *kustomizeFiles) RemoveAll(string) error { return errReadOnly }

// WriteFile implements filesys.FileSystem.
func (f *kustomizeFiles) WriteFile(string, []byte) error { return errReadOnly }
