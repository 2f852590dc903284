package artifact

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Store builds artifacts into the cache and tells where they are.
type Store struct {
	root       string // of the cache
	components string // of the checkout
	out        io.Writer
	started    time.Time
}

// Open finds the cache and the checkout. Progress is written to out.
func Open(out io.Writer) (*Store, error) {
	root, err := CacheRoot()
	if err != nil {
		return nil, err
	}
	components, err := componentsDir()
	if err != nil {
		return nil, err
	}
	return &Store{root: root, components: components, out: out, started: time.Now()}, nil
}

// Root is the cache's directory.
func (s *Store) Root() string { return s.root }

// Locked runs f while no other process does so under the same name.
func (s *Store) Locked(name string, f func() error) error {
	return locked(filepath.Join(s.root, "locks", name+".lock"), f)
}

// Bundle is everything that a cluster runs from.
type Bundle struct {
	Bin    map[string]string // name of a program → its path
	CRDs   string            // directory with gateway-api/ and istio/
	Images []string          // archives to import at the start
}

// task is one thing to make, unless its file is there already.
type task struct {
	what string
	path string
	make func(p *progress, tmp string) error
}

// All makes everything that a cluster needs.
func (s *Store) All() (*Bundle, error) {
	tasks, err := s.binaryTasks(all, nil)
	if err != nil {
		return nil, err
	}
	bundle := &Bundle{Bin: map[string]string{}}
	for _, t := range tasks {
		bundle.Bin[filepath.Base(t.path)] = t.path
	}
	more, err := s.imageTasks(bundle.Bin)
	if err != nil {
		return nil, err
	}
	crds, err := s.crdTask()
	if err != nil {
		return nil, err
	}
	bundle.CRDs, bundle.Images = crds.path, archives(more)
	return bundle, s.run(append(append(tasks, more...), crds))
}

// archives picks the image archives, which are the tasks' only `.tar` files.
func archives(tasks []task) []string {
	var out []string
	for _, t := range tasks {
		if filepath.Ext(t.path) == ".tar" {
			out = append(out, t.path)
		}
	}
	return out
}

// CRDs makes the directory with the CRDs of both gateway APIs.
func (s *Store) CRDs() (string, error) {
	t, err := s.crdTask()
	if err != nil {
		return "", err
	}
	return t.path, s.run([]task{t})
}

// Assets makes the directory that envtest calls KUBEBUILDER_ASSETS.
func (s *Store) Assets() (string, error) {
	wanted := map[string]bool{"etcd": true, "kube-apiserver": true, "kubectl": true}
	tasks, err := s.binaryTasks([]component{etcd, kubernetes}, wanted)
	if err != nil {
		return "", err
	}
	if err := s.run(tasks); err != nil {
		return "", err
	}
	dir := filepath.Join(s.root, "assets-"+baseOf(tasks[0])+"-"+baseOf(tasks[1]))
	if exists(dir) {
		return dir, nil
	}
	return dir, atomically(dir, func(tmp string) error { return linkAll(tmp, tasks) })
}

func baseOf(t task) string { return filepath.Base(filepath.Dir(t.path)) }

func linkAll(dir string, tasks []task) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, t := range tasks {
		if err := os.Symlink(t.path, filepath.Join(dir, filepath.Base(t.path))); err != nil {
			return err
		}
	}
	return nil
}

// run makes what is missing, one after the other: a Go build takes all cores.
func (s *Store) run(tasks []task) error {
	missing := 0
	for _, t := range tasks {
		if !exists(t.path) {
			missing++
		}
	}
	done := 0
	for _, t := range tasks {
		if exists(t.path) {
			continue
		}
		done++
		p := newProgress(s.out, fmt.Sprintf("[%2d/%d] %s", done, missing, t.what))
		if err := s.runOne(t, p); err != nil {
			return fmt.Errorf("%s: %w", t.what, err)
		}
	}
	if missing > 0 {
		fmt.Fprintf(s.out, "built %d in %s, kept in %s\n", missing, seconds(time.Since(s.started)), s.root)
	}
	return nil
}

func (s *Store) runOne(t task, p *progress) error {
	defer p.stop()
	return s.Locked(filepath.Base(filepath.Dir(t.path))+"-"+filepath.Base(t.path), func() error {
		if exists(t.path) { // another process made it while this one waited
			return nil
		}
		return atomically(t.path, func(tmp string) error { return t.make(p, tmp) })
	})
}
