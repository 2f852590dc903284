package witness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"fortio.org/fortio/periodic"
)

var (
	errSilent = errors.New("no line came in time")
	errNoEnd  = errors.New("it stopped without its end")
)

// streamer holds one long connection after the other.
type streamer struct {
	witness *Witness
	client  *http.Client
}

func (w *Witness) streamers() []periodic.Runnable {
	streamers := make([]periodic.Runnable, w.opts.Streams)
	for i := range streamers {
		streamers[i] = &streamer{witness: w, client: w.opts.client(true)}
	}
	return streamers
}

// Run follows one stream to its end.
func (s *streamer) Run(context.Context, periodic.ThreadID) (bool, string) {
	if s.witness.streams.Err() != nil {
		return true, ""
	}
	ctx, cancel := context.WithCancelCause(s.witness.streams)
	defer cancel(nil)
	silence := time.AfterFunc(s.witness.opts.Timeout, func() { cancel(errSilent) })
	defer silence.Stop()
	start := time.Now()
	body, err := s.open(ctx)
	if err != nil {
		s.failed(outcome{start: start, err: fmt.Errorf("stream not opened: %w", err)})
		return false, ""
	}
	defer body.Close()
	s.witness.record.streamOpened()
	if err := s.follow(start, body, silence); err != nil {
		s.cut(start, errors.Join(err, context.Cause(ctx)))
	}
	return true, ""
}

func (s *streamer) open(ctx context.Context) (io.ReadCloser, error) {
	opts := s.witness.opts
	req, err := opts.request(ctx, fmt.Sprintf("%s?seconds=%d", opts.StreamPath, opts.StreamSeconds))
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp.Body, nil
}

// follow returns nil once the stream said that it ends.
func (s *streamer) follow(start time.Time, body io.Reader, silence *time.Timer) error {
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, maxBody)
	for scanner.Scan() {
		silence.Reset(s.witness.opts.Timeout)
		line := outcome{start: start, body: scanner.Bytes()}
		line.answer, line.err = parse(line.body)
		if line.answer.End {
			s.witness.record.streamEnded()
			return nil
		}
		s.witness.record.line(line)
	}
	if err := scanner.Err(); err != nil {
		return err
	}
	return errNoEnd
}

// stopped tells whether the witness itself hung up, which is nobody's fault.
func (s *streamer) stopped() bool { return s.witness.streams.Err() != nil }

func (s *streamer) failed(o outcome) {
	if !s.stopped() {
		s.witness.record.streamRefused(o)
	}
}

func (s *streamer) cut(start time.Time, err error) {
	if !s.stopped() {
		s.witness.record.streamCut(start, err)
	}
}
