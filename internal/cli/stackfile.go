package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// stackFile is a Stack as it was found in a file.
type stackFile struct {
	path string
	raw  map[string]any
	// broken says why the document could not be read.
	broken error
	// braces: it has those of a template.
	braces bool
}

func (f stackFile) name() string {
	meta, _ := f.raw["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	return name
}

// findStacks reads every Stack in a file, or in the YAML files below a folder.
func findStacks(path string) ([]stackFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("there is no file or folder %s", path)
	}
	if !info.IsDir() {
		return readStacks(path)
	}
	var found []stackFile
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && p != path:
			return filepath.SkipDir
		case d.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(p)):
			return nil
		}
		stacks, err := readStacks(p)
		found = append(found, slices.DeleteFunc(stacks, stackFile.template)...)
		return err
	})
	return found, err
}

// template reports whether it is no YAML yet: a chart that makes a Stack is judged by what it renders to.
func (f stackFile) template() bool { return f.broken != nil && len(f.raw) == 0 && f.braces }

// readStacks reads the Stacks of a file, those that cannot be read strictly too.
func readStacks(path string) ([]stackFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !bytes.Contains(raw, []byte(v1alpha1.Group+"/")) || !bytes.Contains(raw, []byte("kind: Stack")) {
		return nil, nil
	}
	var found []stackFile
	docs := utilyaml.NewYAMLReader(newBufferedReader(raw))
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, fmt.Errorf("read %s: %w", path, err)
		}
		if f, ok := parseStack(path, doc); ok {
			found = append(found, f)
		}
	}
}

func parseStack(path string, doc []byte) (stackFile, bool) {
	f := stackFile{path: path, raw: map[string]any{}, braces: bytes.Contains(doc, []byte("{{"))}
	f.broken = yaml.UnmarshalStrict(doc, &f.raw)
	if f.broken != nil {
		_ = yaml.Unmarshal(doc, &f.raw)
	}
	version, _ := f.raw["apiVersion"].(string)
	isStack := f.raw["kind"] == "Stack" && strings.HasPrefix(version, v1alpha1.Group+"/")
	return f, isStack || (f.broken != nil && len(f.raw) == 0)
}
