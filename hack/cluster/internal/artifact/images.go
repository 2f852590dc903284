package artifact

import (
	"os"
	"path/filepath"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/image"
)

// The names of the images made here. No registry is asked for them.
const (
	PauseImage = "lockstep.local/pause:1"
	EchoImage  = "lockstep.local/echo:1"
	// MetricsImage is made for those who ask for it.
	MetricsImage = "lockstep.local/metrics-server:1"
)

// imageTasks makes Envoy and the image archives; an archive is keyed by what
// it is made of.
func (s *Store) imageTasks(bin map[string]string) ([]task, error) {
	envoy := s.envoyTask()
	code, err := Key(os.DirFS(filepath.Join(s.components, "..", "internal", "image")), envoy.path, bin["gateway"], bin["pause"], bin["echo"])
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.root, "images-"+code)
	return []task{
		envoy,
		{what: "image of pause", path: filepath.Join(dir, "pause.tar"), make: single(PauseImage, bin["pause"])},
		{what: "image of echo", path: filepath.Join(dir, "echo.tar"), make: single(EchoImage, bin["echo"])},
		{what: "image of envoy", path: filepath.Join(dir, "envoy.tar"), make: func(_ *progress, tmp string) error {
			return envoyImage(envoy.path, bin["gateway"], tmp)
		}},
	}, nil
}

// Metrics makes the image archive of metrics-server, which no cluster has unless
// it is asked for: it takes two minutes to build.
func (s *Store) Metrics() (string, error) {
	tasks, err := s.binaryTasks([]component{metricsServer}, nil)
	if err != nil {
		return "", err
	}
	program := tasks[0].path
	archive := filepath.Join(filepath.Dir(program), "metrics-server.tar")
	return archive, s.run(append(tasks, task{what: "image of metrics-server", path: archive, make: single(MetricsImage, program)}))
}

func single(tag, program string) func(*progress, string) error {
	return func(_ *progress, tmp string) error {
		name := "/" + filepath.Base(program)
		return image.Build(image.Spec{
			Tag: tag, User: "65532", Entrypoint: []string{name},
			Files: map[string]string{name: program}, Output: tmp,
		})
	}
}
