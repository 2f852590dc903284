package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/config"
)

// flags of the controller.
type flags struct {
	metricsAddress string
	probeAddress   string
	namespace      string
	namespaces     []string
	gateways       []string
	workDir        string
	allowFileURLs  bool
	leaderElect    bool
	leaseDuration  time.Duration
	renewDeadline  time.Duration
	retryPeriod    time.Duration
	stacksAtOnce   int
	qps            float32
	burst          int
	logLevel       string

	// again is whether this process has run a controller before, as tests do.
	again bool
}

func command() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:           "lockstep-controller",
		Short:         "Takes Stacks through their releases",
		Version:       cmp.Or(version, "devel"),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return run(cmd.Context(), f)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *flags) add(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.metricsAddress, "metrics-bind-address", ":8080", "where metrics are served; 0 for nowhere")
	set.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0 for nowhere")
	set.StringVar(&f.namespace, "namespace", ownNamespace(), "the controller's own namespace: frozen content and the leader's Lease are kept there")
	set.StringSliceVar(&f.namespaces, "namespaces", nil, "see these namespaces alone: those of Stacks and of their slots, which have to exist (default: all namespaces)")
	set.StringSliceVar(&f.gateways, "gateway-namespaces", nil, "besides --namespaces, look for gateways in these")
	set.StringVar(&f.workDir, "work-dir", "", "where checkouts are kept while they are rendered (default: the system's folder for temporary files)")
	set.BoolVar(&f.allowFileURLs, "allow-file-repositories", false, "read repositories at file:// from the controller's own disk")
	set.BoolVar(&f.leaderElect, "leader-elect", false, "work only while holding the leader's Lease, so that others can stand by")
	set.DurationVar(&f.leaseDuration, "lease-duration", 12*time.Second, "how long others wait before they take over from a leader that is silent")
	set.DurationVar(&f.renewDeadline, "lease-renew-deadline", 8*time.Second, "how long a leader that cannot renew its Lease goes on")
	set.DurationVar(&f.retryPeriod, "lease-retry-period", 2*time.Second, "how often the Lease is asked for")
	set.IntVar(&f.stacksAtOnce, "stacks-at-once", 0, "how many Stacks are worked on at the same time (default: 8)")
	set.Float32Var(&f.qps, "kube-api-qps", 100, "requests per second to the API server; -1 leaves it to the API server to say when they are too many")
	set.IntVar(&f.burst, "kube-api-burst", 200, "requests that may go over --kube-api-qps for a moment")
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
}

func (f *flags) check() error {
	if _, err := f.level(); err != nil {
		return err
	}
	if len(f.gateways) > 0 && len(f.namespaces) == 0 {
		return errors.New("--gateway-namespaces goes with --namespaces: without it gateways are looked for everywhere")
	}
	if f.leaseDuration <= f.renewDeadline || f.renewDeadline <= f.retryPeriod {
		return fmt.Errorf("--lease-duration (%s) must be longer than --lease-renew-deadline (%s), and that longer than --lease-retry-period (%s)",
			f.leaseDuration, f.renewDeadline, f.retryPeriod)
	}
	return nil
}

func (f *flags) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return 0, fmt.Errorf("--log-level %q: give debug, info, warn or error", f.logLevel)
	}
	return level, nil
}

func ownNamespace() string {
	if namespace := os.Getenv("POD_NAMESPACE"); namespace != "" {
		return namespace
	}
	return config.Namespace
}
