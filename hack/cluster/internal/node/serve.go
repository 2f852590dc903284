package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/gitserver"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

// The words with which a line of progress begins.
const (
	SaidStep   = "step "
	SaidReady  = "ready"
	SaidFailed = "failed "
)

// startPatience is generous, as a machine's two cores may be busy with tests.
const startPatience = 4 * time.Minute

type node struct {
	*supervisor
	config  Config
	api     *api
	open    Inherited
	started time.Time
}

// Serve starts everything, says so, and then waits for its end.
func Serve(dir rundir.Dir, open Inherited) error {
	n := &node{open: open, started: time.Now()}
	if err := rundir.ReadJSON(dir.Config(), &n.config); err != nil {
		return err
	}
	patience, stop := context.WithTimeoutCause(context.Background(), startPatience, errors.New("the start took too long"))
	defer stop()
	ctx, giveUp := context.WithCancelCause(patience)
	n.supervisor = &supervisor{dir: dir, bin: n.config.Bin, programs: programs(), broken: giveUp}
	if err := n.start(ctx); err != nil {
		fmt.Fprintf(n.open.Progress, "%s%q\n", SaidFailed, err)
		return err
	}
	if err := dir.MarkReady(); err != nil {
		return err
	}
	fmt.Fprintln(n.open.Progress, SaidReady)
	n.open.Progress.Close()
	select {}
}

func (n *node) say(what string) {
	fmt.Fprintf(n.open.Progress, "%s%5.1fs  %s\n", SaidStep, time.Since(n.started).Seconds(), what)
}

// stage is a part of the start that can be waited for.
type stage struct {
	what string
	run  func(context.Context) error
}

func (n *node) start(ctx context.Context) error {
	if err := n.prepare(); err != nil {
		return err
	}
	images := n.inBackground(ctx, stage{"containerd with its images", n.startContainerd})
	for _, s := range []stage{
		{"API server", n.startAPI},
		{"CRDs, Services and DNS", n.startBase},
		{"istiod", n.startIstiod},
		{"images", func(context.Context) error { return images() }},
		{"node", n.waitNode},
		{"gateways", n.startGateways},
	} {
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		n.say(s.what)
	}
	return nil
}

// inBackground begins a stage and returns how to wait for it.
func (n *node) inBackground(ctx context.Context, s stage) func() error {
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	return func() error { return <-done }
}

func (n *node) prepare() error {
	if err := setUpNetwork(); err != nil {
		return err
	}
	if err := writeCredentials(n.dir.Kubeconfig(), n.config.Ports.API); err != nil {
		return err
	}
	if err := writeComponentConfigs(n.config, n.dir); err != nil {
		return err
	}
	if err := n.dir.CreateCgroups(); err != nil {
		return err
	}
	var err error
	if n.api, err = newAPI(); err != nil {
		return err
	}
	return errors.Join(n.startForwards(), n.startGit())
}

func (n *node) startForwards() error {
	api, err := listener(n.open.API)
	if err != nil {
		return err
	}
	gateway, err := listener(n.open.Gateway)
	if err != nil {
		return err
	}
	return errors.Join(
		forward(api, n.config.Ports.API, apiAddress),
		forward(gateway, n.config.Ports.Gateway, gatewayVIP))
}

func (n *node) startGit() error {
	outside, err := listener(n.open.Git)
	if err != nil {
		return err
	}
	handler, err := gitserver.New(state("git"))
	if err != nil {
		return err
	}
	go serveHTTP(gitAddress, handler)
	return forward(outside, n.config.Ports.Git, gitAddress)
}

func serveHTTP(address string, handler http.Handler) {
	server := http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}

func (n *node) startContainerd(ctx context.Context) error {
	n.keep("containerd")
	if err := eventually(ctx, "containerd", func(context.Context) error {
		_, err := os.Stat(containerdSocket)
		return err
	}); err != nil {
		return err
	}
	return n.importImages(ctx, n.config.Images)
}

func (n *node) startAPI(ctx context.Context) error {
	n.keep("etcd")
	if err := eventually(ctx, "etcd", listens("127.0.0.1:2379")); err != nil {
		return err
	}
	n.keep("kube-apiserver")
	if err := eventually(ctx, "kube-apiserver", n.api.apiReady); err != nil {
		return err
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns"} {
		n.keep(name)
	}
	return nil
}

// startBase applies the CRDs and our own objects at the same time: the latter
// use none of the former.
func (n *node) startBase(ctx context.Context) error {
	var both sync.WaitGroup
	var crds, base error
	both.Go(func() { crds = n.applyCRDs(ctx, n.config.CRDs) })
	both.Go(func() { base = n.applyManifest(ctx, "base.yaml", n.config) })
	both.Wait()
	return errors.Join(crds, base)
}

func (n *node) startIstiod(ctx context.Context) error {
	n.keep("istiod")
	if err := n.applyManifest(ctx, "routes.yaml", n.config); err != nil {
		return err
	}
	if err := eventually(ctx, "istiod", istiodReady); err != nil {
		return err
	}
	return eventually(ctx, "DNS", dnsReady)
}

func (n *node) waitNode(ctx context.Context) error {
	return eventually(ctx, "node", n.api.nodeReady)
}

func (n *node) startGateways(ctx context.Context) error {
	if err := n.applyManifest(ctx, "gateways.yaml", n.config); err != nil {
		return err
	}
	if err := eventually(ctx, "gateways", n.api.gatewaysServe); err != nil {
		return err
	}
	return eventually(ctx, "Gateway", n.api.gatewayProgrammed)
}
