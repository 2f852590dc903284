package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// LogReader opens the log of a container.
type LogReader func(ctx context.Context, c *Cluster, namespace, pod string, o *corev1.PodLogOptions) (io.ReadCloser, error)

// ReadLog reads the log of a container from the API.
func ReadLog(ctx context.Context, c *Cluster, namespace, pod string, o *corev1.PodLogOptions) (io.ReadCloser, error) {
	set, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		return nil, err
	}
	return set.CoreV1().Pods(namespace).GetLogs(pod, o).Stream(ctx)
}

// logsAtOnce bounds how many logs are read at the same time, unless they are followed.
const logsAtOnce = 8

// followAtMost bounds how many logs are followed: each holds a connection to a node open.
const followAtMost = 50

type logFlags struct {
	whereFlags
	container  string
	follow     bool
	previous   bool
	timestamps bool
	since      time.Duration
	tail       int64
}

func (a *app) logsCommand() *cobra.Command {
	f := &logFlags{}
	cmd := &cobra.Command{
		Use:   "logs [STACK]",
		Short: "Show the logs of a release, of all its members in the order of time",
		Long: `Show the logs of every Pod of a release, each line with its member and Pod before it: of the release that is under way, or
else of the live one. With --slot it is everything in a slot. Lines are in the order of time, as the nodes' clocks have it;
with -f they are shown as they come, and Pods that are made meanwhile are followed too.

Needs the right to list pods, and to get pods/log, in the namespaces of the slots.`,
		Example: `  kubectl lockstep logs shop -f
  kubectl lockstep logs shop --release shop-3f9a1c20b4 --member cart --since 10m
  kubectl lockstep logs shop --slot blue --tail -1 -c frontend`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runLogs(cmd.Context(), args, f) },
	}
	a.whereFlags(cmd, &f.whereFlags)
	cmd.Flags().StringVarP(&f.container, "container", "c", "", "this container alone (default: all but those that run first)")
	cmd.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on as lines come")
	cmd.Flags().BoolVarP(&f.previous, "previous", "p", false, "of the containers that ran before the last restart")
	cmd.Flags().BoolVar(&f.timestamps, "timestamps", false, "with the time of each line")
	cmd.Flags().DurationVar(&f.since, "since", 0, "what is younger than this (default: all)")
	cmd.Flags().Int64Var(&f.tail, "tail", 100, "that many last lines of each container; -1 for all")
	return cmd
}

func (a *app) whereFlags(cmd *cobra.Command, f *whereFlags) {
	cmd.Flags().StringVar(&f.release, "release", "", "release to look at (default: the active one, or else the live one)")
	cmd.Flags().StringVar(&f.slot, "slot", "", "everything in this slot")
	cmd.Flags().StringSliceVar(&f.members, "member", nil, "this member alone; may be repeated")
	_ = cmd.RegisterFlagCompletionFunc("release", a.completeReleases)
	_ = cmd.RegisterFlagCompletionFunc("slot", a.completeSlots)
	_ = cmd.RegisterFlagCompletionFunc("member", a.completeMembers)
}

func (f *logFlags) check() error {
	switch {
	case f.follow && f.previous:
		return usagef("--previous is over: leave --follow out")
	case f.tail < -1:
		return usagef("--tail %d: give a number of lines, or -1 for all", f.tail)
	case f.since < 0:
		return usagef("--since %s: give how long ago, such as 10m", f.since)
	}
	return nil
}

func (a *app) runLogs(ctx context.Context, args []string, f *logFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	c, err := a.cluster()
	if err != nil {
		return err
	}
	w, err := c.find(ctx, args, &f.whereFlags)
	if err != nil {
		return err
	}
	l := &logs{app: a, c: c, w: w, f: f, open: map[string]bool{}}
	if f.follow {
		return l.follow(ctx)
	}
	sources, err := l.sources(ctx)
	if err != nil {
		return err
	}
	return l.print(ctx, sources)
}

// logSource is a container whose log is read.
type logSource struct {
	namespace, pod, container string
	prefix                    string
	// waiting has not begun, ended will say no more.
	waiting, ended bool
}

func (s logSource) key() string { return s.namespace + "/" + s.pod + "/" + s.container }

// logs of a release or a slot.
type logs struct {
	*app
	c *Cluster
	w *where
	f *logFlags

	mu   sync.Mutex
	open map[string]bool
}

func (l *logs) what() string {
	if l.w.release == nil {
		return l.f.what("")
	}
	return l.f.what(l.w.release.Name)
}

// sources are the containers of the Pods that are there.
func (l *logs) sources(ctx context.Context) ([]logSource, error) {
	pods, err := l.c.pods(ctx, l.w)
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 && !l.f.follow {
		return nil, fmt.Errorf("%s of Stack %s has no Pods now; see kubectl lockstep status %s", l.what(), l.w.stack.Name, l.w.stack.Name)
	}
	var out []logSource
	for i := range pods {
		out = append(out, l.containers(&pods[i])...)
	}
	if len(out) == 0 && len(pods) > 0 {
		return nil, fmt.Errorf("no Pod of %s has a container %s", l.what(), l.f.container)
	}
	return out, nil
}

func (l *logs) containers(p *corev1.Pod) []logSource {
	all := p.Spec.Containers
	if l.f.container != "" {
		all = slices.Concat(p.Spec.InitContainers, all)
	}
	var out []logSource
	for _, c := range all {
		if l.f.container != "" && c.Name != l.f.container {
			continue
		}
		s := logSource{namespace: p.Namespace, pod: p.Name, container: c.Name, prefix: l.prefix(p), waiting: notStarted(p, c.Name)}
		s.ended = p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if len(p.Spec.Containers) > 1 || l.f.container != "" {
			s.prefix += "/" + c.Name
		}
		out = append(out, s)
	}
	return out
}

// prefix is the member, and what tells its Pod from others.
func (l *logs) prefix(p *corev1.Pod) string {
	member := l.w.memberOf(p)
	if rest, ok := strings.CutPrefix(p.Name, member+"-"); ok && member != "" {
		return member + "/" + rest
	}
	return strings.Trim(member+"/"+p.Name, "/")
}

func notStarted(p *corev1.Pod, container string) bool {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.Name == container {
			return s.State.Waiting != nil && s.LastTerminationState.Terminated == nil
		}
	}
	return p.Status.Phase == corev1.PodPending
}

func (l *logs) options(s logSource) *corev1.PodLogOptions {
	o := &corev1.PodLogOptions{Container: s.container, Follow: l.f.follow, Previous: l.f.previous, Timestamps: true}
	if l.f.since > 0 {
		seconds := int64(max(l.f.since.Seconds(), 1))
		o.SinceSeconds = &seconds
	}
	if l.f.tail >= 0 {
		o.TailLines = &l.f.tail
	}
	return o
}

// logLine is a line with its time, as the node wrote it.
type logLine struct {
	at     time.Time
	prefix string
	text   string
}

// print reads every log, a few at a time, and prints the lines in the order of time.
func (l *logs) print(ctx context.Context, sources []logSource) error {
	read := make([][]logLine, len(sources))
	var group errgroup.Group
	group.SetLimit(logsAtOnce)
	for i, s := range sources {
		group.Go(func() error {
			return l.read(ctx, s, l.options(s), func(line logLine) { read[i] = append(read[i], line) })
		})
	}
	err := group.Wait()
	all := slices.Concat(read...)
	slices.SortStableFunc(all, func(a, b logLine) int { return a.at.Compare(b.at) })
	for _, line := range all {
		l.line(line)
	}
	return err
}

// read reads a log to its end. A container that has not begun has none, which is said.
func (l *logs) read(ctx context.Context, s logSource, o *corev1.PodLogOptions, take func(logLine)) error {
	stream, err := l.Logs(ctx, l.c, s.namespace, s.pod, o)
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not read logs in namespace %s; it takes the right to get pods/log there, which the ClusterRole view has", s.namespace)
	case apierrors.IsBadRequest(err) || gone(err):
		l.mu.Lock()
		defer l.mu.Unlock()
		printf(l.ErrOut, "%s has no log: %s\n", s.prefix, oneLine(err))
		return nil
	case err != nil:
		return fmt.Errorf("read the log of %s: %w", s.prefix, explain(err))
	}
	defer func() { _ = stream.Close() }() // it was only read
	reader := bufio.NewReader(stream)
	for {
		text, err := reader.ReadString('\n')
		if text != "" {
			take(parseLine(s.prefix, strings.TrimSuffix(text, "\n")))
		}
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the log of %s: %w", s.prefix, err)
		}
	}
}

func parseLine(prefix, text string) logLine {
	stamp, rest, found := strings.Cut(text, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if !found || err != nil {
		return logLine{prefix: prefix, text: text}
	}
	return logLine{at: at, prefix: prefix, text: rest}
}

func (l *logs) line(line logLine) {
	stamp := ""
	if l.f.timestamps && !line.at.IsZero() {
		stamp = line.at.UTC().Format("2006-01-02T15:04:05.000Z") + " "
	}
	// What a container prints is shown as it is, as kubectl does: it may be colours.
	draw(l.Out, stamp+"["+line.prefix+"] "+line.text+"\n")
}

// follow shows lines as they come, of Pods that are made meanwhile too, until it is interrupted.
func (l *logs) follow(ctx context.Context) error {
	var targets []target
	for _, slot := range l.w.slots {
		targets = append(targets, target{&corev1.PodList{}, slot.Namespace})
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	changed := l.changes(ctx, l.c, targets...)
	for {
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
				return cause
			}
			return nil
		case <-changed:
		}
		sources, err := l.sources(ctx)
		if err != nil && !passing(err) && ctx.Err() == nil {
			return err
		}
		if len(sources) > followAtMost {
			return usagef("these are %d logs, and %d can be followed at once; name members with --member, or a container with -c", len(sources), followAtMost)
		}
		l.followEach(ctx, sources, stop)
	}
}

func (l *logs) followEach(ctx context.Context, sources []logSource, fail context.CancelCauseFunc) {
	for _, s := range sources {
		l.mu.Lock()
		busy := l.open[s.key()] || s.waiting
		if !busy {
			l.open[s.key()] = true
		}
		l.mu.Unlock()
		if busy {
			continue
		}
		go func() {
			if err := l.followOne(ctx, s); err != nil && ctx.Err() == nil {
				fail(err)
			}
		}()
	}
}

// followOne follows a container across its restarts, until its Pod is gone.
func (l *logs) followOne(ctx context.Context, s logSource) error {
	o := l.options(s)
	var last time.Time
	for ctx.Err() == nil {
		err := l.read(ctx, s, o, func(line logLine) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if line.at.After(last) || line.at.IsZero() {
				last = cmp.Or(line.at, last)
				l.line(line)
			}
		})
		if err != nil && !passing(err) {
			return err
		}
		if !l.sleep(ctx, again) || !l.there(ctx, s) {
			return nil
		}
		if !last.IsZero() {
			o.TailLines, o.SinceSeconds, o.SinceTime = nil, nil, &metav1.Time{Time: last}
		}
	}
	return nil
}

// there is whether the container may still say something.
func (l *logs) there(ctx context.Context, s logSource) bool {
	sources, err := l.sources(ctx)
	return err != nil || slices.ContainsFunc(sources, func(o logSource) bool { return o.key() == s.key() && !o.ended })
}
