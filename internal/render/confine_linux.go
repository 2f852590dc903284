package render

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// confine bounds what this process may use from now on. It cannot be undone.
func confine(l Limits) error {
	mapped, err := addressSpace()
	if err != nil {
		return err
	}
	cpu := uint64(math.Ceil(l.Timeout.Seconds()))*2 + 1
	for _, limit := range []struct {
		resource  int
		soft, max uint64
	}{
		// Go reserves much address space that it never uses: what counts is what is added.
		{syscall.RLIMIT_AS, mapped + uint64(l.Memory), mapped + uint64(l.Memory)},
		// Only the soft limit says why it ends the process.
		{syscall.RLIMIT_CPU, cpu, cpu + 2},
		{syscall.RLIMIT_FSIZE, 0, 0},
		{syscall.RLIMIT_NOFILE, 128, 128},
		{syscall.RLIMIT_CORE, 0, 0},
	} {
		if err := syscall.Setrlimit(limit.resource, &syscall.Rlimit{Cur: limit.soft, Max: limit.max}); err != nil {
			return fmt.Errorf("setting limit %d: %w", limit.resource, err)
		}
	}
	return nil
}

// addressSpace is how much address space this process has mapped.
func addressSpace() (uint64, error) {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("reading the size of this process: %w", err)
	}
	pages, err := strconv.ParseUint(string(bytes.Fields(content)[0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the size of this process: %w", err)
	}
	return pages * uint64(os.Getpagesize()), nil
}

// isolations are ways to cut the child off from the network, the best first. Which of them the kernel allows shows when
// the child is started.
func isolations() []*syscall.SysProcAttr {
	alone := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cut := *alone
	cut.Cloneflags = syscall.CLONE_NEWNET
	if os.Geteuid() != 0 {
		cut.Cloneflags |= syscall.CLONE_NEWUSER
		cut.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		cut.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
	return []*syscall.SysProcAttr{&cut, alone}
}

// start starts a command cut off from the network where the kernel allows it.
func start(command func() *exec.Cmd) (*exec.Cmd, error) {
	var err error
	for _, isolation := range isolations() {
		cmd := command()
		cmd.SysProcAttr = isolation
		if err = cmd.Start(); err == nil {
			return cmd, nil
		}
	}
	return nil, err
}
