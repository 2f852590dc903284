package chain

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

const (
	streamInterval   = 200 * time.Millisecond
	maxStreamSeconds = 3600
)

// end is the last line of a stream. One that stops without it was cut.
type end struct {
	End bool `json:"end"`
}

func (s *Service) serveStream(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.URL.Query().Get("seconds"))
	if err != nil || seconds < 1 || seconds > maxStreamSeconds {
		http.Error(w, `{"error":"seconds must be a number from 1 to 3600"}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := lineWriter{encoder: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	if s.stream(r.Context(), lines, time.Duration(seconds)*time.Second) {
		_ = lines.write(end{End: true})
	}
}

// stream writes answers until the time is up, and tells whether it came that far.
func (s *Service) stream(ctx context.Context, lines lineWriter, length time.Duration) bool {
	over := time.After(length)
	tick := time.NewTicker(streamInterval)
	defer tick.Stop()
	for {
		if lines.write(s.answer(ctx)) != nil {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-over:
			return true
		case <-tick.C:
		}
	}
}

type lineWriter struct {
	encoder *json.Encoder
	flush   func() error
}

func (l lineWriter) write(line any) error {
	if err := l.encoder.Encode(line); err != nil {
		return err
	}
	return l.flush()
}
