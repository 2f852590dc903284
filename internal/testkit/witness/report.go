package witness

import (
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Report is what a Witness has seen.
type Report struct {
	// Started is when the traffic began.
	Started time.Time `json:"started"`
	// Requests counts those that were answered, or failed.
	Requests int64 `json:"requests"`
	// Failed counts requests, streams that could not be opened, and lines of
	// streams: not sent, not answered, a status other than 200, or no valid answer.
	Failed int64 `json:"failed"`
	// Mixed counts requests and lines of streams that were served by more than
	// one release or slot within a unit.
	Mixed int64 `json:"mixed"`
	// Retried counts requests that the HTTP client sent again on a new
	// connection, since a kept one was closed under it. A user does not notice.
	Retried int64 `json:"retried"`
	// Streams counts those that were opened; Lines what came over them.
	Streams int64 `json:"streams"`
	Lines   int64 `json:"lines"`
	// Ended counts streams that came to their end, Cut those that stopped before, or fell silent.
	Ended int64 `json:"ended"`
	Cut   int64 `json:"cut"`
	// P50 and P99 are percentiles of the time that requests took, in nanoseconds.
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	// Releases is what each release served; a mixed answer counts for all that served it.
	Releases map[string]ReleaseReport `json:"releases"`
	// Failures are the first failures and cuts, in words.
	Failures []string `json:"failures,omitempty"`
	// MixedSamples are the first mixed chains.
	MixedSamples []string `json:"mixedSamples,omitempty"`
}

// ReleaseReport is what one release served any part of.
type ReleaseReport struct {
	// First and Last are when the first and the last such request or stream began.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Count is the number of requests.
	Count int64 `json:"count"`
	// Rate is how many requests per second it served of late.
	Rate float64 `json:"rate"`
}

// SwitchLatency is how long after the given instant the last request or stream
// began that the old release served. It is negative if none began after it,
// and zero if the release was never seen.
func (r Report) SwitchLatency(old string, at time.Time) time.Duration {
	seen, ok := r.Releases[old]
	if !ok {
		return 0
	}
	return seen.Last.Sub(at)
}

// String is a line for people to follow.
func (r Report) String() string {
	print := message.NewPrinter(language.English)
	var line strings.Builder
	print.Fprintf(&line, "%d requests, %d failed, %d mixed, %d cut", r.Requests, r.Failed, r.Mixed, r.Cut)
	for _, release := range slices.Sorted(maps.Keys(r.Releases)) {
		if rate := r.Releases[release].Rate; rate > 0 {
			print.Fprintf(&line, "; release %s: %.0f/s", release, rate)
		}
	}
	return line.String()
}

func (r *recorder) report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := r.counts
	report.Failures = slices.Clone(report.Failures)
	report.MixedSamples = slices.Clone(report.MixedSamples)
	report.Releases = make(map[string]ReleaseReport, len(r.releases))
	now := time.Now()
	for release, seen := range r.releases {
		of := seen.ReleaseReport
		of.Rate = seen.recent.perSecond(now)
		report.Releases[release] = of
	}
	if r.latencies.Count > 0 {
		latencies := r.latencies.Export()
		report.P50 = seconds(latencies.CalcPercentile(50))
		report.P99 = seconds(latencies.CalcPercentile(99))
	}
	return report
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

const rateWindow = 3

// rate counts by the second, over the last few whole ones.
type rate struct {
	second [rateWindow + 1]int64
	count  [rateWindow + 1]int64
}

func (r *rate) hit(t time.Time) {
	second := t.Unix()
	i := second % int64(len(r.second))
	if second < r.second[i] {
		return
	}
	if r.second[i] != second {
		r.second[i], r.count[i] = second, 0
	}
	r.count[i]++
}

func (r *rate) perSecond(now time.Time) float64 {
	var total int64
	for i, second := range r.second {
		if age := now.Unix() - second; age >= 1 && age <= rateWindow {
			total += r.count[i]
		}
	}
	return float64(total) / rateWindow
}
