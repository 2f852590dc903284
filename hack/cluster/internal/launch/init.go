package launch

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/node"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// Init is the first process of the cluster's PID namespace: with it, all
// others end. It adopts what its descendants leave, which is why it does
// nothing else: who waits for every process cannot also wait for its own.
func Init(dir rundir.Dir) error {
	var config node.Config
	if err := rundir.ReadJSON(dir.Config(), &config); err != nil {
		return err
	}
	if err := node.Mounts(dir.Path, config.Cache); err != nil {
		return err
	}
	open := node.Inherit()
	serve := itself(open.Files(), "internal-serve", dir.Name)
	serve.Stdout, serve.Stderr = os.Stdout, os.Stderr
	if err := serve.Start(); err != nil {
		return err
	}
	for _, file := range open.Files() {
		file.Close()
	}
	endOnSignal()
	os.Exit(reapUntil(serve.Process.Pid))
	return nil
}

func endOnSignal() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.Exit(0)
	}()
}

// reapUntil waits for processes until the one that matters has ended.
func reapUntil(pid int) int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.ECHILD) {
			return 1
		}
		if ended == pid {
			return status.ExitStatus()
		}
	}
}

// Serve runs the node inside its namespaces.
func Serve(dir rundir.Dir) {
	if err := node.Serve(dir, node.Inherit()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(failedToStart)
	}
}
