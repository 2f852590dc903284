// Package witness watches a release as its users would.
//
// A Witness sends requests through the gateway, and holds long streams, for
// the whole of a test. It follows what each answer says of every member that
// served it, and counts what users would notice: failures, answers served by a
// mix of releases, and streams that were cut. A Ledger does the same for
// workers, by their logs.
package witness

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"time"

	"fortio.org/fortio/periodic"
	"fortio.org/log"
)

// Options say where a Witness sends what. Zero values take the defaults given.
type Options struct {
	// Target is the host:port that every connection is made to: the gateway.
	Target string
	// Host is the name that users ask for; by default the Target.
	Host string
	// Path is that of requests; by default "/".
	Path string
	// Header is sent with everything, such as what chooses the preview.
	Header http.Header
	// Cookies makes each worker keep the cookies it is given, as a browser does.
	Cookies bool

	// QPS is how many requests all workers begin per second together; by default 50.
	QPS float64
	// Connections is the number of workers; by default 4. Every fourth makes a new connection for each request.
	Connections int
	// Timeout is for a whole request, and for the silence between two lines of a stream; by default 10 s.
	Timeout time.Duration

	// Streams is how many long connections are held at a time; by default none.
	Streams int
	// StreamPath is that of streams; by default "/stream".
	StreamPath string
	// StreamSeconds is how long each stream is asked to last; by default 10.
	StreamSeconds int

	// UnitOf names the unit whose members must not mix; by default all members are one.
	UnitOf func(member string) string
	// MaxDuration ends the traffic if nobody stops it; by default 2 h.
	MaxDuration time.Duration
	// Dial makes the connections to Target; by default a net.Dialer does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) withDefaults() Options {
	o.Host = or(o.Host, o.Target)
	o.Path = or(o.Path, "/")
	o.QPS = or(o.QPS, 50)
	o.Connections = or(o.Connections, 4)
	o.Timeout = or(o.Timeout, 10*time.Second)
	o.StreamPath = or(o.StreamPath, "/stream")
	o.StreamSeconds = or(o.StreamSeconds, 10)
	o.MaxDuration = or(o.MaxDuration, 2*time.Hour)
	if o.UnitOf == nil {
		o.UnitOf = func(string) string { return "" }
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return o
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// client makes the connections of one worker, which shares them with no other.
func (o Options) client(fresh bool) *http.Client {
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return o.Dial(ctx, network, o.Target)
			},
			DisableKeepAlives:  fresh,
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if o.Cookies {
		// New fails on no input.
		client.Jar, _ = cookiejar.New(nil)
	}
	return client
}

func (o Options) request(ctx context.Context, path string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.Host+path, nil)
	if err == nil && o.Header != nil {
		req.Header = o.Header.Clone()
	}
	return req, err
}

// Witness is traffic that is under way, and what was seen of it. Its methods may be called from any goroutine.
type Witness struct {
	opts     Options
	record   *recorder
	streams  context.Context
	hangUp   context.CancelFunc
	aborters []*periodic.Aborter
	running  sync.WaitGroup
	stop     sync.Once
}

// quiet is once per process: the load generator has one logger for all runs.
var quiet = sync.OnceFunc(func() { log.SetLogLevelQuiet(log.Critical) })

// Start sends traffic until Stop is called, ctx ends or MaxDuration is over.
func Start(ctx context.Context, opts Options) *Witness {
	quiet()
	opts = opts.withDefaults()
	w := &Witness{opts: opts, record: newRecorder(opts.UnitOf)}
	w.streams, w.hangUp = context.WithCancel(context.WithoutCancel(ctx))
	w.run(opts.QPS, w.requesters())
	if opts.Streams > 0 {
		// One start per second and stream: a pace for those that end early, while longer ones skip their turns.
		w.run(float64(opts.Streams), w.streamers())
	}
	context.AfterFunc(ctx, w.halt)
	return w
}

func (w *Witness) run(qps float64, runners []periodic.Runnable) {
	aborter := periodic.NewAborter()
	w.aborters = append(w.aborters, aborter)
	runner := periodic.NewPeriodicRunner(&periodic.RunnerOptions{
		RunType:    "witness",
		NumThreads: len(runners),
		QPS:        qps,
		Duration:   w.opts.MaxDuration,
		Uniform:    true,
		// After a stall, users do not send all at once what they did not send meanwhile.
		NoCatchUp: true,
		Stop:      aborter,
		Out:       io.Discard,
	})
	// The constructor forgets the runners that it is given.
	runner.Options().Runners = runners
	w.running.Go(func() { runner.Run() })
}

func (w *Witness) halt() {
	w.stop.Do(func() {
		w.hangUp()
		for _, aborter := range w.aborters {
			aborter.Abort(true)
		}
	})
}

// Stop ends the traffic, waits for the requests in flight, and reports all that was seen.
func (w *Witness) Stop() Report {
	w.halt()
	w.running.Wait()
	return w.Snapshot()
}

// Snapshot reports what was seen so far.
func (w *Witness) Snapshot() Report { return w.record.report() }

// LastSeen is when the last request or stream began that the release served
// any part of; zero if it served none.
func (w *Witness) LastSeen(release string) time.Time {
	return w.Snapshot().Releases[release].Last
}

// Releases counts the requests that each release served any part of.
func (w *Witness) Releases() map[string]int64 {
	counts := map[string]int64{}
	for release, seen := range w.Snapshot().Releases {
		counts[release] = seen.Count
	}
	return counts
}

// WaitFor returns once the release has served a request that began after the
// call, or with the error of ctx.
func (w *Witness) WaitFor(ctx context.Context, release string) error {
	select {
	case <-w.record.served(release, time.Now()):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
