// Package launch starts and ends a cluster from outside its namespaces.
package launch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/artifact"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/node"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// Up starts the cluster and returns when it may be used. It does nothing if
// the cluster is up already.
func Up(dir rundir.Dir, store *artifact.Store, out io.Writer) error {
	if dir.Ready() {
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("a cluster needs namespaces and mounts: run this as root")
	}
	if err := installPackages(out); err != nil {
		return err
	}
	bundle, err := store.All()
	if err != nil {
		return err
	}
	return store.Locked("cluster-"+dir.Name, func() error {
		if dir.Ready() {
			return nil
		}
		return start(dir, store, bundle, out)
	})
}

func start(dir rundir.Dir, store *artifact.Store, bundle *artifact.Bundle, out io.Writer) error {
	if err := Down(dir); err != nil {
		return err
	}
	if err := dir.Create(); err != nil {
		return err
	}
	if err := linkPrograms(dir.Bin(), bundle.Bin); err != nil {
		return err
	}
	files, ports, err := openListeners()
	if err != nil {
		return err
	}
	config := node.Config{
		Name: dir.Name, Bin: bundle.Bin, CRDs: bundle.CRDs, Images: bundle.Images, Cache: store.Root(),
		Pause: artifact.PauseImage, Envoy: artifact.EnvoyImage, Ports: ports,
	}
	if err := errors.Join(rundir.WriteJSON(dir.Config(), config), dir.WriteEnv(ports)); err != nil {
		return err
	}
	return startWatcher(dir, files, out)
}

func linkPrograms(bin string, programs map[string]string) error {
	for name, path := range programs {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	return nil
}

// openListeners opens three ports that are free, in the network of whoever
// calls `up`.
func openListeners() (files []*os.File, ports rundir.Ports, err error) {
	for _, port := range []*int{&ports.API, &ports.Gateway, &ports.Git} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, ports, err
		}
		defer l.Close()
		*port = l.Addr().(*net.TCPAddr).Port
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			return nil, ports, err
		}
		files = append(files, file)
	}
	return files, ports, nil
}

// startWatcher hands the listeners to the background and follows its progress.
func startWatcher(dir rundir.Dir, listeners []*os.File, out io.Writer) error {
	progress, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	log, err := os.Create(dir.DaemonLog())
	if err != nil {
		return err
	}
	defer log.Close()
	watcher := itself(append([]*os.File{theirs}, listeners...), "internal-watch", dir.Name)
	watcher.Stdout, watcher.Stderr = log, log
	watcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := watcher.Start(); err != nil {
		return err
	}
	for _, file := range watcher.ExtraFiles {
		file.Close()
	}
	return follow(progress, dir, out)
}

// itself is a command that runs this very program, which `go run` may have
// deleted by then.
func itself(files []*os.File, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "lockstep-cluster"
	cmd.ExtraFiles = files
	return cmd
}

func follow(progress io.Reader, dir rundir.Dir, out io.Writer) error {
	lines := bufio.NewScanner(progress)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if step, ok := strings.CutPrefix(line, node.SaidStep); ok {
			fmt.Fprintln(out, step)
		}
		if line == node.SaidReady {
			return nil
		}
		if reason, ok := strings.CutPrefix(line, node.SaidFailed); ok {
			return fmt.Errorf("the cluster did not start: %s\nits logs are in %s", unquote(reason), dir.Logs())
		}
	}
	return fmt.Errorf("the cluster ended while it started: see %s", dir.DaemonLog())
}

func unquote(s string) string {
	if plain, err := strconv.Unquote(s); err == nil {
		return plain
	}
	return s
}

// Down ends the cluster and removes what it has left. It is no mistake if
// there is none.
func Down(dir rundir.Dir) error {
	if err := dir.Kill(10 * time.Second); err != nil {
		return err
	}
	return dir.Clean(false)
}
