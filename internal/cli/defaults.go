package cli

import (
	"os"
	"runtime/debug"

	"github.com/go-logr/logr"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Defaults are the Options of a process: its streams, its terminal, and the cluster of its kubeconfig.
func Defaults() Options {
	return Options{
		IOStreams: genericclioptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		Clock:     clock.RealClock{},
		Connect:   Connect,
		Observe:   Observe,
		Render:    Render,
		Screen:    screen,
		Getenv:    os.Getenv,
		Random:    rand.String,
		Logs:      ReadLog,
		Browse:    browse,
		Version:   buildVersion(),
	}
}

func screen() (width int, is bool) {
	fd := int(os.Stdout.Fd())
	if !term.IsTerminal(fd) {
		return 0, false
	}
	width, _, err := term.GetSize(fd)
	return width, err == nil
}

// Silence turns off what the libraries log: whoever runs a command is told in its own words.
func Silence() {
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
}

// buildVersion is the version of the module, or the commit that it was built of.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
