package witness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

func actor(slot, release string, first, last float64) Actor {
	return Actor{Holder: Holder{Slot: slot, Release: release}, Pod: slot + "-" + release, First: at(first), Last: at(last)}
}

func TestOverlaps(t *testing.T) {
	for name, test := range map[string]struct {
		actors []Actor
		want   int
	}{
		"one after the other":       {actors: []Actor{actor("blue", "r1", 0, 10), actor("green", "r2", 11, 20)}},
		"one moment":                {actors: []Actor{actor("blue", "r1", 0, 10), actor("green", "r2", 10, 20)}, want: 1},
		"one within the other":      {actors: []Actor{actor("blue", "r1", 0, 10), actor("green", "r2", 4, 5)}, want: 1},
		"the later one given first": {actors: []Actor{actor("green", "r2", 9, 20), actor("blue", "r1", 0, 10)}, want: 1},
		"two pods of one holder":    {actors: []Actor{actor("blue", "r1", 0, 10), actor("blue", "r1", 5, 20)}},
		"two releases of one slot":  {actors: []Actor{actor("blue", "r1", 0, 10), actor("blue", "r2", 5, 20)}, want: 1},
		"there and back": {actors: []Actor{
			actor("blue", "r1", 0, 10), actor("green", "r2", 11, 20), actor("blue", "r1", 21, 30),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := overlaps(test.actors); len(got) != test.want {
				t.Errorf("%d overlaps, want %d: %+v", len(got), test.want, got)
			}
		})
	}
}

func TestHandovers(t *testing.T) {
	blue, green := Holder{Slot: "blue", Release: "r1"}, Holder{Slot: "green", Release: "r2"}
	got := handovers([]Actor{
		actor("green", "r2", 12, 20), actor("blue", "r1", 0, 10), actor("blue", "r1", 1, 9), actor("blue", "r1", 19, 30),
	})
	want := []Handover{{From: blue, To: green, Gap: 2 * time.Second}, {From: green, To: blue, Gap: -time.Second}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// world is as much of an API server as a Ledger needs.
type world struct {
	mu   sync.Mutex
	pods map[string]*corev1.Pod
	logs map[string]func(http.ResponseWriter, *http.Request)
}

func newWorld() *world {
	return &world{pods: map[string]*corev1.Pod{}, logs: map[string]func(http.ResponseWriter, *http.Request){}}
}

func (w *world) add(namespace, name string, running bool, log http.HandlerFunc) {
	state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	if running {
		state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	}
	w.pods[name] = &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(name), ResourceVersion: "1"},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
			{Name: "ledger", ContainerID: "containerd://" + name, State: state},
		}},
	}
	w.logs[name] = log
}

func (w *world) remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pods, name)
}

func (w *world) client(t *testing.T) kubernetes.Interface {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods", w.watch)
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods/{name}", w.get)
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/pods/{name}/log", func(rw http.ResponseWriter, r *http.Request) {
		w.logs[r.PathValue("name")](rw, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// watch answers a watch that asks for what there is first, which is how informers begin.
func (w *world) watch(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	for _, pod := range w.pods {
		if pod.Namespace == r.PathValue("namespace") {
			send(rw, "ADDED", pod)
		}
	}
	mark := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	mark.ResourceVersion, mark.Annotations = "1", map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	send(rw, "BOOKMARK", mark)
	<-r.Context().Done()
}

func send(w http.ResponseWriter, event string, pod *corev1.Pod) {
	_ = json.NewEncoder(w).Encode(map[string]any{"type": event, "object": pod})
	_ = http.NewResponseController(w).Flush()
}

func (w *world) get(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	if pod, ok := w.pods[r.PathValue("name")]; ok {
		_ = json.NewEncoder(rw).Encode(pod)
		return
	}
	rw.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(rw).Encode(metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound})
}

func entries(slot, release string, seconds ...float64) string {
	var lines strings.Builder
	for _, s := range seconds {
		fmt.Fprintf(&lines, `{"ledger":"entry","time":%q,"release":%q,"slot":%q}`+"\n", at(s).Format(time.RFC3339Nano), release, slot)
	}
	return lines.String()
}

// goesOn writes lines and then stays open.
func goesOn(lines string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(lines))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func follow(t *testing.T, w *world) *Ledger {
	t.Helper()
	l, err := FollowLedger(t.Context(), LedgerOptions{Client: w.client(t), Namespaces: []string{"shop-blue", "shop-green"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Stop() })
	return l
}

func untilLedger(t *testing.T, l *Ledger, seen func(LedgerReport) bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !seen(l.Report()) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen: %+v", l.Report())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func written(r LedgerReport) (n int64) {
	for _, a := range r.Actors {
		n += a.Entries
	}
	return n
}

func TestLedgerFollowsTheLogsOfAllSlots(t *testing.T) {
	w := newWorld()
	w.add("shop-blue", "blue-1", false, answers(http.StatusOK, "starting\n"+entries("blue", "r1", 0, 1, 2)))
	w.add("shop-green", "green-1", true, goesOn(entries("green", "r2", 5, 6)))
	l := follow(t, w)
	untilLedger(t, l, func(r LedgerReport) bool { return written(r) == 5 })
	r := l.Stop()
	if len(r.Overlaps) != 0 || len(r.Problems) != 0 || l.Gap() != 3*time.Second {
		t.Errorf("gap %s, %+v", l.Gap(), r)
	}
}

func TestLedgerSeesTwoSlotsAtWork(t *testing.T) {
	w := newWorld()
	w.add("shop-blue", "blue-1", true, goesOn(entries("blue", "r1", 0, 1, 2)))
	w.add("shop-green", "green-1", true, goesOn(entries("green", "r2", 1.5, 2.5)))
	l := follow(t, w)
	untilLedger(t, l, func(r LedgerReport) bool { return written(r) == 5 })
	if got := l.Overlaps(); len(got) != 1 || !got[0].From.Equal(at(1.5)) || !got[0].To.Equal(at(2)) {
		t.Errorf("%+v", got)
	}
}

func TestLedgerReadsOnWhereALogBroke(t *testing.T) {
	w := newWorld()
	var opened int
	w.add("shop-blue", "blue-1", true, func(rw http.ResponseWriter, r *http.Request) {
		if opened++; opened == 1 {
			_, _ = rw.Write([]byte(entries("blue", "r1", 0, 1)))
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		}
		goesOn(entries("blue", "r1", 0, 1, 2))(rw, r)
	})
	l := follow(t, w)
	untilLedger(t, l, func(r LedgerReport) bool { return written(r) == 3 })
	if r := l.Stop(); len(r.Problems) != 0 {
		t.Errorf("the log was read in the end, but: %q", r.Problems)
	}
}

func TestALogThatIsLostIsAProblem(t *testing.T) {
	w := newWorld()
	w.add("shop-blue", "blue-1", true, func(http.ResponseWriter, *http.Request) {
		w.remove("blue-1")
		panic(http.ErrAbortHandler)
	})
	l := follow(t, w)
	untilLedger(t, l, func(r LedgerReport) bool { return len(r.Problems) == 1 })
}
