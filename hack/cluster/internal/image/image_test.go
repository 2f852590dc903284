package image

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestTheSameFilesMakeTheSameImage(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "app")
	if err := os.WriteFile(program, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	first := archive(t, dir, program)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(program, later, later); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, archive(t, dir, program)) {
		t.Error("two archives of the same files differ")
	}
}

func archive(t *testing.T, dir, program string) []byte {
	t.Helper()
	spec := Spec{
		Tag: "app:1", Files: map[string]string{"/app": program}, Entrypoint: []string{"/app"},
		User: "65532", Labels: map[string]string{"a": "b"}, Output: filepath.Join(dir, "app.tar"),
	}
	if err := Build(spec); err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(spec.Output, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil || config.Config.User != "65532" || config.Config.Labels["a"] != "b" || config.Config.Entrypoint[0] != "/app" {
		t.Fatalf("config %+v, %v", config, err)
	}
	content, err := os.ReadFile(spec.Output)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
