// Package image builds images from scratch out of static binaries, without
// Docker, and the same bytes every time.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Spec says what an image holds.
type Spec struct {
	Tag        string
	Files      map[string]string // path in the image → file on this machine
	Entrypoint []string
	User       string
	Labels     map[string]string
	Output     string
}

// caBundles are the places where distributions keep the CA certificates.
var caBundles = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

const passwd = `root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`

// Build writes the image as an archive that `docker load` and `ctr images import` read.
func Build(spec Spec) error {
	tag, err := name.NewTag(spec.Tag)
	if err != nil {
		return fmt.Errorf("tag: %w", err)
	}
	layer, err := layerOf(spec.Files)
	if err != nil {
		return err
	}
	image, err := assemble(spec, layer)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(spec.Output, tag, image)
}

func assemble(spec Spec, layer []byte) (v1.Image, error) {
	image, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer:     static.NewLayer(layer, types.DockerUncompressedLayer),
		MediaType: types.DockerUncompressedLayer,
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Entrypoint: spec.Entrypoint, User: spec.User, Labels: spec.Labels,
		Env: []string{"PATH=/", "SSL_CERT_FILE=" + caBundles[0]},
	}
	return mutate.ConfigFile(image, config)
}

// layerOf packs the files with what nearly every program expects to find.
// Nothing in it depends on when or by whom it is made.
func layerOf(files map[string]string) ([]byte, error) {
	var buffer bytes.Buffer
	l := &layerWriter{out: tar.NewWriter(&buffer), dirs: map[string]bool{"/": true}}
	l.file("/etc/passwd", 0o644, []byte(passwd))
	l.dir("/tmp", 0o1777)
	l.dir("/home/nonroot", 0o1777)
	l.certificates()
	for _, inside := range slices.Sorted(maps.Keys(files)) {
		content, err := os.ReadFile(files[inside])
		if err != nil {
			return nil, err
		}
		l.file(inside, 0o755, content)
	}
	return buffer.Bytes(), l.close()
}

// layerWriter remembers the first error, and the directories it has written.
type layerWriter struct {
	out  *tar.Writer
	dirs map[string]bool
	err  error
}

func (l *layerWriter) certificates() {
	for _, bundle := range caBundles {
		if content, err := os.ReadFile(bundle); err == nil {
			l.file(caBundles[0], 0o644, content)
			return
		}
	}
}

func (l *layerWriter) dir(name string, mode int64) {
	if l.dirs[name] {
		return
	}
	l.dir(path.Dir(name), 0o755)
	l.dirs[name] = true
	l.header(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(name, "/") + "/", Mode: mode})
}

func (l *layerWriter) file(name string, mode int64, content []byte) {
	l.dir(path.Dir(name), 0o755)
	l.header(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: mode, Size: int64(len(content))})
	if l.err == nil {
		_, l.err = io.Copy(l.out, bytes.NewReader(content))
	}
}

func (l *layerWriter) header(h *tar.Header) {
	if l.err == nil {
		h.ModTime = time.Unix(0, 0)
		l.err = l.out.WriteHeader(h)
	}
}

func (l *layerWriter) close() error {
	if l.err != nil {
		return l.err
	}
	return l.out.Close()
}
