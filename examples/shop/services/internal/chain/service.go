package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	downstreamTimeout = 3 * time.Second
	maxAnswerBytes    = 1 << 20
)

// Dependency is a member that another one asks.
type Dependency struct {
	// Member is its name.
	Member string
	// URL is where it is asked.
	URL string
}

// DependsOn names the member at the short host name of its Service, so that a
// call stays in the caller's own slot. <MEMBER>_URL in the environment moves it.
func DependsOn(member string) Dependency {
	url := os.Getenv(strings.ToUpper(member) + "_URL")
	if url == "" {
		url = "http://" + member
	}
	return Dependency{Member: member, URL: url}
}

// Compose makes a member's content out of the content of those that it asked, by their names.
type Compose func(parts map[string]json.RawMessage) (any, error)

// Service is one member of the shop.
type Service struct {
	self         Hop
	dependencies []Dependency
	compose      Compose
	client       *http.Client
}

// NewService makes the member called self, which asks its dependencies anew for every answer.
func NewService(self Hop, compose Compose, dependencies ...Dependency) *Service {
	return &Service{
		self:         self,
		dependencies: dependencies,
		compose:      compose,
		client:       &http.Client{Timeout: downstreamTimeout},
	}
}

// Register adds the member's endpoints to mux: GET / for one answer, and GET
// /stream?seconds=N for one every 200 ms.
func (s *Service) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.serveAnswer)
	mux.HandleFunc("GET /stream", s.serveStream)
}

func (s *Service) serveAnswer(w http.ResponseWriter, r *http.Request) {
	answer := s.answer(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if answer.Error != "" {
		w.WriteHeader(http.StatusBadGateway)
	}
	// A client that has gone away is no concern of the member's.
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Service) answer(ctx context.Context) Answer {
	answer := Answer{Served: []Hop{s.self}}
	content, err := s.content(ctx, &answer)
	if err != nil {
		answer.Error = err.Error()
		return answer
	}
	answer.Answer = content
	return answer
}

func (s *Service) content(ctx context.Context, answer *Answer) (json.RawMessage, error) {
	parts := make(map[string]json.RawMessage, len(s.dependencies))
	for _, dependency := range s.dependencies {
		part, err := s.ask(ctx, dependency)
		answer.Served = append(answer.Served, part.Served...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dependency.Member, err)
		}
		parts[dependency.Member] = part.Answer
	}
	content, err := s.compose(parts)
	if err != nil {
		return nil, err
	}
	return json.Marshal(content)
}

func (s *Service) ask(ctx context.Context, dependency Dependency) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, dependency.URL, nil)
	if err != nil {
		return Answer{}, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	return read(resp)
}

// read returns what could be read even with an error: who answered is worth knowing then above all.
func read(resp *http.Response) (Answer, error) {
	var answer Answer
	err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswerBytes)).Decode(&answer)
	switch {
	case err != nil:
		return answer, fmt.Errorf("status %d: %w", resp.StatusCode, err)
	case answer.Error != "":
		return answer, errors.New(answer.Error)
	case resp.StatusCode != http.StatusOK:
		return answer, fmt.Errorf("status %d", resp.StatusCode)
	}
	return answer, nil
}
