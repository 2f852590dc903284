package process

import (
	"fmt"
	"time"
)

type settings struct {
	address    string
	crash      bool
	failReady  bool
	startDelay time.Duration
	stopDelay  time.Duration
}

func settingsFrom(getenv func(string) string) (settings, error) {
	s := settings{
		address:   getenv("ADDRESS"),
		crash:     getenv("CRASH") == "true",
		failReady: getenv("FAIL_READY") == "true",
	}
	if s.address == "" {
		s.address = defaultAddress
	}
	var err error
	if s.startDelay, err = duration(getenv, "START_DELAY"); err != nil {
		return s, err
	}
	s.stopDelay, err = duration(getenv, "STOP_DELAY")
	return s, err
}

func duration(getenv func(string) string, name string) (time.Duration, error) {
	value := getenv(name)
	if value == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}
