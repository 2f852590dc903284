package witness

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	reopenInterval = 250 * time.Millisecond
	// maxReopen bounds how often a log is opened: an hour's worth of a log that breaks at once.
	maxReopen = 14400
)

// LedgerOptions say which workers a Ledger follows.
type LedgerOptions struct {
	Client kubernetes.Interface
	// Namespaces are those of the slots.
	Namespaces []string
	// Selector chooses the workers' pods, such as "app.kubernetes.io/name=ledger".
	Selector string
}

// Ledger follows the logs of workers, and knows when each was at work. Its methods may be called from any goroutine.
type Ledger struct {
	client    kubernetes.Interface
	cancel    context.CancelFunc
	following sync.WaitGroup

	mu       sync.Mutex
	stopped  bool
	followed map[run]bool
	actors   map[types.UID]*Actor
	problems []string
}

// run is one run of a container: it has a log of its own.
type run struct {
	pod       types.UID
	namespace string
	name      string
	container string
	restarts  int32
}

// LedgerReport is what a Ledger has seen.
type LedgerReport struct {
	Actors    []Actor    `json:"actors"`
	Overlaps  []Overlap  `json:"overlaps,omitempty"`
	Handovers []Handover `json:"handovers,omitempty"`
	// Problems are the first logs that could not be read, in words. Without any, what is reported is complete.
	Problems []string `json:"problems,omitempty"`
}

// FollowLedger follows the logs of all pods that there are or will be, from
// their starts, until Stop is called or ctx ends. It fails if the pods cannot be listed.
func FollowLedger(ctx context.Context, opts LedgerOptions) (*Ledger, error) {
	ctx, cancel := context.WithCancel(ctx)
	l := &Ledger{client: opts.Client, cancel: cancel, followed: map[run]bool{}, actors: map[types.UID]*Actor{}}
	for _, namespace := range opts.Namespaces {
		if err := l.watch(ctx, namespace, opts.Selector); err != nil {
			l.Stop()
			return nil, fmt.Errorf("watch the pods of %s: %w", namespace, err)
		}
	}
	return l, nil
}

func (l *Ledger) watch(ctx context.Context, namespace, selector string) error {
	factory := informers.NewSharedInformerFactoryWithOptions(l.client, 0,
		informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = selector }))
	informer := factory.Core().V1().Pods().Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { l.follow(ctx, object) },
		UpdateFunc: func(_, object any) { l.follow(ctx, object) },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return context.Cause(ctx)
	}
	return nil
}

// follow reads the log of each run of a container once.
func (l *Ledger) follow(ctx context.Context, object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Waiting != nil || status.ContainerID == "" {
			continue
		}
		r := run{pod: pod.UID, namespace: pod.Namespace, name: pod.Name, container: status.Name, restarts: status.RestartCount}
		l.begin(ctx, r)
	}
}

func (l *Ledger) begin(ctx context.Context, r run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped || l.followed[r] {
		return
	}
	l.followed[r] = true
	l.following.Go(func() { l.readAll(ctx, r) })
}

// readAll opens the log until the run is over, each time from its start, and
// skips the lines that it knows. What cannot be read in the end is a problem.
func (l *Ledger) readAll(ctx context.Context, r run) {
	var log reading
	for range maxReopen {
		if err := l.read(ctx, r, &log); ctx.Err() == nil {
			log.broken = err
		}
		if l.over(ctx, r, log.broken) || !pause(ctx, reopenInterval) {
			break
		}
	}
	if log.broken != nil {
		l.note(r, log.broken)
	}
}

// reading is how far a log was read, and what keeps it from being read on.
type reading struct {
	known  int
	broken error
}

func (l *Ledger) read(ctx context.Context, r run, log *reading) error {
	opts := &corev1.PodLogOptions{Container: r.container, Follow: true}
	body, err := l.client.CoreV1().Pods(r.namespace).GetLogs(r.name, opts).Stream(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	log.broken = nil
	lines := bufio.NewReader(body)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n > log.known {
			log.known = n
			l.add(r, line)
		}
	}
}

// over tells whether there is nothing more to read: the pod is gone, or the
// run is no longer under way and nothing broke while its log was read.
func (l *Ledger) over(ctx context.Context, r run, readErr error) bool {
	pod, err := l.client.CoreV1().Pods(r.namespace).Get(ctx, r.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true
	}
	if err != nil {
		return false
	}
	if pod.UID != r.pod {
		return true
	}
	return readErr == nil && !isRunning(pod, r)
}

func isRunning(pod *corev1.Pod, r run) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		return s.Name == r.container && s.RestartCount == r.restarts && s.State.Running != nil
	})
}

// add ignores lines that are not entries.
func (l *Ledger) add(r run, line []byte) {
	var e Entry
	if json.Unmarshal(line, &e) != nil || e.Kind == "" || e.Time.IsZero() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	actor, ok := l.actors[r.pod]
	if !ok {
		// Without a stamp, the namespace is what tells slots apart.
		holder := Holder{Slot: cmp.Or(e.Slot, r.namespace), Release: e.Release}
		actor = &Actor{Holder: holder, Pod: r.name}
		l.actors[r.pod] = actor
	}
	actor.add(e)
}

func (l *Ledger) note(r run, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = sample(l.problems, fmt.Sprintf("%s/%s: %v", r.namespace, r.name, err))
}

// Stop ends the following, and reports all that was seen.
func (l *Ledger) Stop() LedgerReport {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.cancel()
	l.following.Wait()
	return l.Report()
}

// Report is what was seen so far.
func (l *Ledger) Report() LedgerReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	var actors []Actor
	for _, actor := range l.actors {
		actors = append(actors, *actor)
	}
	slices.SortFunc(actors, func(a, b Actor) int { return a.First.Compare(b.First) })
	return LedgerReport{
		Actors:    actors,
		Overlaps:  overlaps(actors),
		Handovers: handovers(actors),
		Problems:  slices.Clone(l.problems),
	}
}

// Overlaps are pods of different slots or releases that were at work at the same time.
func (l *Ledger) Overlaps() []Overlap { return l.Report().Overlaps }

// Gap is the longest time for which nobody was at work between two holders;
// negative if they only ever overlapped, zero if there was no handover.
func (l *Ledger) Gap() time.Duration {
	var gap time.Duration
	for i, handover := range l.Report().Handovers {
		if i == 0 || handover.Gap > gap {
			gap = handover.Gap
		}
	}
	return gap
}

// pause waits, and tells whether it could do so to the end.
func pause(ctx context.Context, length time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}
