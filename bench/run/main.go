// Command run is the benchmark: it installs Lockstep on a real cluster, and measures it beside what it is made of. A table
// is printed, build/bench.json and build/bench.svg are written. See docs/benchmark.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lockstep-dev/lockstep/bench/figures"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

func main() {
	b := &bench{began: time.Now()}
	flag.IntVar(&b.moves, "n", 30, "switches, and as many rollbacks, for each kind of entry")
	flag.IntVar(&b.wholes, "whole", 5, "whole releases of the stack with dependencies")
	flag.IntVar(&b.slowWholes, "slow", 3, "the same of members that take some seconds to get ready")
	flag.IntVar(&b.stacks, "stacks", 100, "idle Stacks beside which the controller is measured the second time")
	flag.DurationVar(&b.idle, "idle", time.Minute, "how long the idle controller is watched")
	flag.BoolVar(&b.add, "add", false, "add to the samples of build/bench.json, and keep its other figures")
	only := flag.String("only", "", "parts to run, of "+strings.Join(partNames(), ",")+" (default: all)")
	flag.Parse()
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\nbench failed:", err)
		stop()
		os.Exit(1)
	}
}

type bench struct {
	*journey.Cluster
	clients *kubernetes.Clientset
	// me is the user that decides.
	me      string
	began   time.Time
	results *figures.Results
	shops   map[string]*shop

	moves, wholes, slowWholes, stacks int
	idle                              time.Duration
	add                               bool
	only                              []string
}

// part is something that is measured by itself.
type part struct {
	name, title string
	do          func(*bench, context.Context) error
}

func parts() []part {
	return []part{
		{"plan", "plan.Next for stacks of 10 and 100 members", (*bench).planNext},
		{"idle", "The idle controller", (*bench).idleController},
		{"moves", "Switches and rollbacks beside a bare patch", (*bench).allMoves},
		{"writes", "Writes per release", (*bench).allWrites},
		{"whole", "A whole release beside the critical path of its Pods", (*bench).wholeReleases},
	}
}

func partNames() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

func (b *bench) run(ctx context.Context) (err error) {
	for _, name := range b.only {
		if !slices.Contains(partNames(), name) {
			return fmt.Errorf("there is no part %q: give some of %s", name, strings.Join(partNames(), ","))
		}
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer b.leave(context.WithoutCancel(ctx))
	for _, p := range parts() {
		if len(b.only) > 0 && !slices.Contains(b.only, p.name) {
			continue
		}
		b.say("\n\033[1m%s\033[0m", p.title)
		if err := p.do(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		// What was measured is kept where a later part fails.
		if err := b.write(); err != nil {
			return err
		}
	}
	return b.finish()
}

func (b *bench) prepare(ctx context.Context) (err error) {
	if b.Cluster, err = journey.Connect(); err != nil {
		return err
	}
	if b.clients, err = kubernetes.NewForConfig(b.Config); err != nil {
		return err
	}
	b.results, b.shops = figures.NewResults(), map[string]*shop{}
	if b.add {
		if b.results, err = figures.Read(b.file("bench.json")); err != nil {
			return err
		}
	}
	review := &authenticationv1.SelfSubjectReview{}
	if err := b.Create(ctx, review); err != nil {
		return err
	}
	b.me = review.Status.UserInfo.Username
	b.say("installing Lockstep")
	return b.Install(ctx, nil)
}

func (b *bench) file(name string) string { return filepath.Join(b.Root, "build", name) }

// say tells how far it is.
func (b *bench) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if before, ok := strings.CutPrefix(text, "\n"); ok {
		fmt.Println()
		text = before
	}
	fmt.Printf("\033[2m%5.0f s\033[0m  %s\n", time.Since(b.began).Seconds(), text)
}

func (b *bench) write() error {
	b.results.At = b.began.UTC().Format(time.RFC3339)
	b.results.Machine = machine()
	b.results.Conclude(members)
	if err := b.results.Save(b.file("bench.json")); err != nil {
		return err
	}
	return os.WriteFile(b.file("bench.svg"), []byte(b.results.Plot()), 0o644)
}

func (b *bench) finish() error {
	if err := b.results.Table(os.Stdout); err != nil {
		return err
	}
	fmt.Printf("\n%.0f s in all; written to build/bench.json and build/bench.svg\n", time.Since(b.began).Seconds())
	if u := b.results.Users; u.Failed != 0 || u.Mixed != 0 {
		return fmt.Errorf("users met %d failures and %d mixes", u.Failed, u.Mixed)
	}
	return nil
}

// leave removes what the benchmark has made.
func (b *bench) leave(ctx context.Context) {
	for _, s := range b.shops {
		s.repo.Remove()
		for _, name := range s.namespaces() {
			_ = b.ForgetNamespace(ctx, name)
		}
	}
}
