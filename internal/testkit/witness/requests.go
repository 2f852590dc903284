package witness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"fortio.org/fortio/periodic"
)

const (
	maxBody    = 1 << 20
	freshEvery = 4
)

// outcome is all that is known of one request.
type outcome struct {
	start    time.Time
	latency  time.Duration
	attempts int
	status   int
	body     []byte
	answer   answer
	err      error
}

// requester is one worker.
type requester struct {
	witness *Witness
	client  *http.Client
}

func (w *Witness) requesters() []periodic.Runnable {
	workers := make([]periodic.Runnable, w.opts.Connections)
	for i := range workers {
		fresh := i%freshEvery == freshEvery-1
		workers[i] = &requester{witness: w, client: w.opts.client(fresh)}
	}
	return workers
}

// Run sends one request.
func (r *requester) Run(ctx context.Context, _ periodic.ThreadID) (bool, string) {
	ctx, cancel := context.WithTimeout(ctx, r.witness.opts.Timeout)
	defer cancel()
	o := outcome{start: time.Now()}
	o.err = r.send(ctx, &o)
	o.latency = time.Since(o.start)
	r.witness.record.request(o)
	return o.err == nil, ""
}

func (r *requester) send(ctx context.Context, o *outcome) error {
	// A kept connection that the gateway closes makes the client ask again unseen: a user does not notice, a witness does.
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { o.attempts++ }}
	req, err := r.witness.opts.request(httptrace.WithClientTrace(ctx, trace), r.witness.opts.Path)
	if err != nil {
		return err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	o.status = resp.StatusCode
	if o.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody)); err != nil {
		return err
	}
	o.answer, err = parse(o.body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return err
}
