package launch

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/node"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// failedToStart is how the node's first process says that its logs are wanted.
const failedToStart = 3

// Watch starts the first process of the cluster's namespaces, waits for its
// end, however it comes, and removes what outlives namespaces: cgroups and the
// run directory.
func Watch(dir rundir.Dir) error {
	// The kernel sends Pdeathsig when the thread ends that has started the child.
	runtime.LockOSThread()
	open := node.Inherit()
	first := itself(open.Files(), "internal-init", dir.Name)
	first.Stdout, first.Stderr = os.Stdout, os.Stderr
	first.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
	}
	if err := first.Start(); err != nil {
		return err
	}
	if err := dir.SetPID(first.Process.Pid); err != nil {
		return errors.Join(err, first.Process.Kill())
	}
	for _, file := range open.Files() {
		file.Close()
	}
	var exit *exec.ExitError
	keepLogs := errors.As(first.Wait(), &exit) && exit.ExitCode() == failedToStart
	return dir.Clean(keepLogs)
}
