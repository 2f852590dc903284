package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/artifact"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/image"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/launch"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/selftest"
)

const defaultName = "local"

// parse reads the flags that every command has; more adds those of one.
func parse(args []string, more func(*flag.FlagSet)) (rundir.Dir, []string, error) {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	name := flags.String("name", defaultName, "name of the cluster")
	if more != nil {
		more(flags)
	}
	if err := flags.Parse(args); err != nil {
		return rundir.Dir{}, nil, fmt.Errorf("%w\n\n%s", err, usage)
	}
	dir, err := rundir.Of(*name)
	return dir, flags.Args(), err
}

func build(_ []string, s streams) error {
	store, err := artifact.Open(s.err)
	if err != nil {
		return err
	}
	_, err = store.All()
	return err
}

func assets(_ []string, s streams) error { return printPath(s, (*artifact.Store).Assets) }

func crds(_ []string, s streams) error { return printPath(s, (*artifact.Store).CRDs) }

func printPath(s streams, find func(*artifact.Store) (string, error)) error {
	store, err := artifact.Open(s.err)
	if err != nil {
		return err
	}
	path, err := find(store)
	if err == nil {
		fmt.Fprintln(s.out, path)
	}
	return err
}

func up(args []string, s streams) error {
	dir, _, err := parse(args, nil)
	if err != nil {
		return err
	}
	store, err := artifact.Open(s.err)
	if err != nil {
		return err
	}
	started := time.Now()
	if err := launch.Up(dir, store, s.err); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "cluster %s is up (%.1f s)\n", dir.Name, time.Since(started).Seconds())
	return printEnv(dir, s)
}

func printEnv(dir rundir.Dir, s streams) error {
	content, err := os.ReadFile(dir.EnvFile())
	if err != nil || !dir.Ready() {
		return fmt.Errorf("cluster %s is not up: run `up` first", dir.Name)
	}
	_, err = s.out.Write(content)
	return err
}

func env(args []string, s streams) error {
	dir, _, err := parse(args, nil)
	if err != nil {
		return err
	}
	return printEnv(dir, s)
}

func status(args []string, s streams) error {
	dir, _, err := parse(args, nil)
	if err != nil {
		return err
	}
	pid, running := dir.PID()
	switch {
	case dir.Ready():
		fmt.Fprintf(s.out, "cluster %s is up, process %d, in %s\n", dir.Name, pid, dir.Path)
		return printEnv(dir, s)
	case running:
		return fmt.Errorf("cluster %s is starting, process %d", dir.Name, pid)
	default:
		return fmt.Errorf("cluster %s is not up", dir.Name)
	}
}

func down(args []string, s streams) error {
	dir, _, err := parse(args, nil)
	if err != nil {
		return err
	}
	there := dir.Exists()
	if err := launch.Down(dir); err != nil {
		return err
	}
	if there {
		fmt.Fprintf(s.err, "cluster %s is down\n", dir.Name)
	}
	return nil
}

func logs(args []string, s streams) error {
	list := false
	dir, rest, err := parse(args, func(f *flag.FlagSet) { f.BoolVar(&list, "l", false, "list the components") })
	if err != nil {
		return err
	}
	if list {
		return listLogs(dir, s)
	}
	path := dir.DaemonLog()
	if len(rest) > 0 {
		path = dir.Log(rest[0])
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("no such log (list them with `logs -l`): %w", err)
	}
	defer file.Close()
	_, err = io.Copy(s.out, file)
	return err
}

func listLogs(dir rundir.Dir, s streams) error {
	files, err := filepath.Glob(dir.Log("*"))
	for _, file := range files {
		fmt.Fprintln(s.out, strings.TrimSuffix(filepath.Base(file), ".log"))
	}
	return err
}

func load(args []string, s streams) error {
	dir, archives, err := parse(args, nil)
	if err != nil {
		return err
	}
	if len(archives) == 0 {
		return errors.New("load needs at least one archive")
	}
	return launch.Load(dir, archives...)
}

func runInside(args []string, _ streams) error {
	where, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, words, err := parse(args, func(f *flag.FlagSet) { f.StringVar(&where, "dir", where, "working directory") })
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("run needs a command: run -- CMD ARGS…")
	}
	cmd, err := launch.Inside(dir, where, words...)
	if err != nil {
		return err
	}
	return cmd.Run()
}

func buildImage(args []string, s streams) error {
	spec := image.Spec{User: "65532", Files: map[string]string{}, Labels: map[string]string{}}
	_, _, err := parse(args, func(f *flag.FlagSet) { imageFlags(f, &spec) })
	if err != nil {
		return err
	}
	if spec.Tag == "" || spec.Output == "" || len(spec.Files) == 0 {
		return errors.New("image needs --tag, --binary and --output")
	}
	if err := image.Build(spec); err != nil {
		return err
	}
	fmt.Fprintln(s.out, spec.Output)
	return nil
}

// imageFlags makes the first binary the entrypoint, unless another is given.
func imageFlags(f *flag.FlagSet, spec *image.Spec) {
	f.StringVar(&spec.Tag, "tag", "", "NAME:TAG of the image")
	f.StringVar(&spec.Output, "output", "", "archive to write")
	f.StringVar(&spec.User, "user", spec.User, "user id")
	f.Func("entrypoint", "path in the image", func(path string) error {
		spec.Entrypoint = []string{path}
		return nil
	})
	f.Func("binary", "program to put into /", func(path string) error {
		inside := "/" + filepath.Base(path)
		spec.Files[inside] = path
		if spec.Entrypoint == nil {
			spec.Entrypoint = []string{inside}
		}
		return nil
	})
	f.Func("label", "KEY=VALUE", func(pair string) error {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return fmt.Errorf("%q is not KEY=VALUE", pair)
		}
		spec.Labels[key] = value
		return nil
	})
}

func selfTest(args []string, s streams) error {
	store, err := artifact.Open(s.err)
	if err != nil {
		return err
	}
	dir, err := rundir.Of("selftest")
	if err != nil {
		return err
	}
	return selftest.Run(dir, store, s.err)
}

func internalWatch(args []string, _ streams) error { return withName(args, launch.Watch) }

func internalInit(args []string, _ streams) error { return withName(args, launch.Init) }

func internalServe(args []string, _ streams) error {
	return withName(args, func(dir rundir.Dir) error {
		launch.Serve(dir)
		return nil
	})
}

func withName(args []string, f func(rundir.Dir) error) error {
	if len(args) != 1 {
		return errors.New("this command is not for people")
	}
	dir, err := rundir.Of(args[0])
	if err != nil {
		return err
	}
	return f(dir)
}
