package node

import (
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// supervisor starts components and starts them again when they end.
type supervisor struct {
	dir      rundir.Dir
	bin      map[string]string
	programs map[string]program
	broken   func(error) // is told of a component that does not stay up
}

const (
	restartAfter = time.Second
	enoughEnds   = 5
)

// keep runs a component for as long as the cluster lives.
func (s *supervisor) keep(name string) {
	p := s.programs[name]
	go func() {
		for ends := 1; ; ends++ {
			err := s.runOnce(p)
			fmt.Fprintf(os.Stderr, "%s %s ended: %v\n", time.Now().Format(time.TimeOnly), name, err)
			if ends == enoughEnds {
				s.broken(fmt.Errorf("%s does not stay up: %w\n%s", name, err, logTail(s.dir.Log(name))))
			}
			time.Sleep(restartAfter)
		}
	}()
}

func (s *supervisor) runOnce(p program) error {
	log, err := os.OpenFile(s.dir.Log(p.name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.path(p), p.args...)
	cmd.Dir = StateDir
	cmd.Env = environment(s.dir.Bin(), p.env)
	cmd.Stdout, cmd.Stderr = log, log
	return cmd.Run()
}

func (s *supervisor) path(p program) string {
	if p.bin != "" {
		return s.bin[p.bin]
	}
	return s.bin[p.name]
}
