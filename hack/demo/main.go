// The demo releases the shop on a real cluster: version 1, then version 2 with a preview, a promotion and a rollback,
// while a witness sends users' traffic through the gateway. It ends with 0 only if no request failed and none met two
// versions.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
	"github.com/lockstep-dev/lockstep/internal/testkit/witness"
)

const (
	namespace = "shop"
	stack     = "shop"
	host      = "shop.example.com"
)

func main() {
	keep := flag.Bool("keep", false, "stay up, and print how to look around")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	d := &demo{began: time.Now()}
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo failed:", err)
		d.stop()
		os.Exit(1)
	}
	if *keep {
		d.lookAround()
	}
}

type demo struct {
	*journey.Cluster
	began   time.Time
	repo    *journey.Repo
	users   *witness.Witness
	ledger  *witness.Ledger
	film    *film
	summary summary
}

// summary is build/demo.json.
type summary struct {
	Requests      int64          `json:"requests"`
	Failed        int64          `json:"failed"`
	Mixed         int64          `json:"mixed"`
	Cut           int64          `json:"cut"`
	Retried       int64          `json:"retried"`
	Streams       int64          `json:"streams"`
	Switches      []switched     `json:"switches"`
	Steps         []stepTaken    `json:"steps"`
	LedgerOverlap int            `json:"ledgerOverlaps"`
	Seconds       float64        `json:"seconds"`
	Report        witness.Report `json:"report"`
	Timeline      []sample       `json:"timeline"`
	Marks         []mark         `json:"marks"`
}

// switched is how long the last request at the old slot began after the command that moved users was started.
type switched struct {
	Entry     string  `json:"entry"`
	Kind      string  `json:"kind"`
	LastOldMs float64 `json:"lastOldMs"`
}

type stepTaken struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

func (d *demo) run(ctx context.Context) error {
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"Install Lockstep", d.install},
		{"Push the shop's repository, and say what its Stack is", d.push},
		{"Release version 1", d.first},
		{"Let users in", d.letUsersIn},
		{"Commit version 2 of catalog and frontend (cart stays), and release it", d.second},
		{"Look at the preview, which users do not see", d.preview},
		{"Promote", d.promote},
		{"Roll back", d.rollback},
	}
	for i, s := range steps {
		began := time.Now()
		fmt.Printf("\n\033[1m%d/%d  %s\033[0m\n", i+1, len(steps), s.name)
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		took := time.Since(began).Seconds()
		d.summary.Steps = append(d.summary.Steps, stepTaken{Name: s.name, Seconds: took})
		fmt.Printf("      \033[2m%.1f s\033[0m\n", took)
	}
	return d.finish()
}

// lockstep runs the plugin, and shows command and output.
func (d *demo) lockstep(ctx context.Context, args ...string) (journey.Result, error) {
	fmt.Printf("    $ kubectl lockstep %s\n", strings.Join(args, " "))
	return d.MustRun(ctx, indented{}, args...)
}

func (d *demo) install(ctx context.Context) (err error) {
	if d.Cluster, err = journey.Connect(); err != nil {
		return err
	}
	if err := d.clear(ctx); err != nil {
		return err
	}
	fmt.Println("    $ kubectl lockstep install")
	return d.Install(ctx, indented{})
}

// clear removes what an earlier demo left.
func (d *demo) clear(ctx context.Context) error {
	for _, name := range []string{namespace, namespace + "-blue", namespace + "-green"} {
		if err := d.DeleteNamespace(ctx, name); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

func (d *demo) push(ctx context.Context) (err error) {
	if d.repo, err = d.PushRepo(ctx, "shop", filepath.Join(d.Root, "examples", "shop", "repo")); err != nil {
		return err
	}
	if err := d.Home(ctx, namespace); err != nil {
		return err
	}
	manifest, err := os.ReadFile(filepath.Join(d.Root, "examples", "shop", "stack.yaml"))
	if err != nil {
		return err
	}
	fmt.Println("    $ kubectl apply -f examples/shop/stack.yaml")
	return d.Apply(ctx, strings.ReplaceAll(string(manifest), "http://git.git-system.svc.cluster.local/shop.git", d.repo.URL))
}

func (d *demo) first(ctx context.Context) error {
	_, err := d.lockstep(ctx, "release", stack, "-n", namespace, "--wait=Live")
	return err
}

func (d *demo) letUsersIn(ctx context.Context) error {
	clients, err := kubernetes.NewForConfig(d.Config)
	if err != nil {
		return err
	}
	d.ledger, err = witness.FollowLedger(ctx, witness.LedgerOptions{
		Client: clients, Namespaces: []string{"shop-blue", "shop-green"}, Selector: "app.kubernetes.io/name=ledger",
	})
	if err != nil {
		return err
	}
	d.users = witness.Start(ctx, witness.Options{Target: d.Gateway, Host: host, QPS: 200, Connections: 8, Streams: 4, StreamSeconds: 10})
	d.film = startFilm(d.users)
	release, err := d.live(ctx)
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := d.users.WaitFor(wait, release); err != nil {
		return fmt.Errorf("users do not reach %s: %w (%s)", release, err, d.users.Snapshot())
	}
	time.Sleep(2 * time.Second)
	fmt.Println("    " + d.users.Snapshot().String())
	return nil
}

func (d *demo) live(ctx context.Context) (string, error) {
	s, err := d.Stack(ctx, namespace, stack)
	if err != nil || len(s.Status.Units) == 0 {
		return "", errors.Join(err, errors.New("nothing is live"))
	}
	return s.Status.Units[0].LiveRelease, nil
}

func (d *demo) second(ctx context.Context) error {
	for _, chart := range []string{"catalog", "frontend"} {
		if err := d.repo.SetTag(chart, "2.0.0"); err != nil {
			return err
		}
	}
	if _, err := d.repo.Push(ctx, "Version 2 of catalog and frontend"); err != nil {
		return err
	}
	_, err := d.lockstep(ctx, "release", stack, "-n", namespace, "--wait=Hold")
	return err
}

func (d *demo) preview(ctx context.Context) error {
	for _, who := range []struct {
		name   string
		header http.Header
	}{{"users see  ", nil}, {"testers see", http.Header{"X-Lockstep-Preview": {"true"}}}} {
		seen, err := d.ask(ctx, who.header)
		if err != nil {
			return err
		}
		fmt.Printf("    %s %s\n", who.name, seen)
	}
	_, err := d.lockstep(ctx, "status", stack, "-n", namespace)
	return err
}

func (d *demo) promote(ctx context.Context) error { return d.move(ctx, "switch", "promote") }

func (d *demo) rollback(ctx context.Context) error { return d.move(ctx, "rollback", "rollback") }

// move runs a command that moves users, and measures from its start to the last request that began at the old slot.
func (d *demo) move(ctx context.Context, kind, command string) error {
	old, err := d.live(ctx)
	if err != nil {
		return err
	}
	d.film.mark(command)
	result, err := d.lockstep(ctx, command, stack, "-n", namespace, "--wait=Live")
	if err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	after := d.users.Snapshot().SwitchLatency(old, result.Began)
	d.summary.Switches = append(d.summary.Switches, switched{Entry: "web", Kind: kind, LastOldMs: float64(after.Microseconds()) / 1000})
	fmt.Printf("    the last request at the old slot began %d ms after the command was started\n    %s\n", after.Milliseconds(), d.users.Snapshot())
	return nil
}

func (d *demo) stop() {
	if d.users != nil {
		d.users.Stop()
	}
	if d.ledger != nil {
		d.ledger.Stop()
	}
	if d.repo != nil {
		d.repo.Remove()
	}
}

func (d *demo) finish() error {
	s := &d.summary
	s.Timeline, s.Marks = d.film.stop()
	r := d.users.Stop()
	d.ledger.Stop()
	d.repo.Remove()
	s.Report, s.Requests, s.Failed, s.Mixed, s.Cut, s.Retried, s.Streams = r, r.Requests, r.Failed, r.Mixed, r.Cut, r.Retried, r.Streams
	s.LedgerOverlap = len(d.ledger.Overlaps())
	s.Seconds = time.Since(d.began).Seconds()
	if err := d.write(); err != nil {
		return err
	}
	d.print()
	if r.Failed != 0 || r.Mixed != 0 || r.Requests == 0 || s.LedgerOverlap != 0 {
		return fmt.Errorf("%s; worker overlaps: %d; %v %v", r, s.LedgerOverlap, r.Failures, r.MixedSamples)
	}
	return nil
}

func (d *demo) write() error {
	raw, err := json.MarshalIndent(d.summary, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.Root, "build", "demo.json"), raw, 0o644)
}
