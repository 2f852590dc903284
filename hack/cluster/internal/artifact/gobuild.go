package artifact

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// binaryTasks lists the programs of the components; wanted narrows them.
func (s *Store) binaryTasks(from []component, wanted map[string]bool) ([]task, error) {
	var tasks []task
	for _, c := range from {
		dir := filepath.Join(s.components, c.name)
		key, err := Key(os.DirFS(dir), c.settings()...)
		if err != nil {
			return nil, err
		}
		for _, b := range c.binaries {
			if wanted == nil || wanted[b.name] {
				tasks = append(tasks, s.binaryTask(c, b, dir, key))
			}
		}
	}
	return tasks, nil
}

func (s *Store) binaryTask(c component, b binary, dir, key string) task {
	what := b.name
	if b.name != c.name {
		what += " of " + c.name
	}
	return task{
		what: what + " (" + c.version + ")",
		path: filepath.Join(s.root, c.name+"-"+key, b.name),
		make: func(p *progress, tmp string) error { return goBuild(p, dir, b.pkg, tmp, c.settings()) },
	}
}

func goBuild(p *progress, dir, pkg, output string, settings []string) error {
	args := append([]string{"build", "-v", "-mod=readonly"}, settings...)
	cmd := exec.Command("go", append(args, "-o", output, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot run go (is it on PATH?): %w", err)
	}
	complaints := countPackages(stderr, p)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, complaints)
	}
	return nil
}

// countPackages reads `go build -v`, whose lines are packages or complaints.
func countPackages(r io.Reader, p *progress) string {
	var complaints bytes.Buffer
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if line := lines.Text(); strings.ContainsAny(line, " \t") && !strings.HasPrefix(line, "go: downloading") {
			fmt.Fprintln(&complaints, line)
		} else {
			p.step()
		}
	}
	return complaints.String()
}
