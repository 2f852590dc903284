package git_test

import (
	"testing"

	"github.com/lockstep-dev/lockstep/internal/git"
)

func TestNewestTag(t *testing.T) {
	r := newRepo(t)
	first := r.write("a", "1").commit()
	for _, tag := range []string{"v1.9.0-blue", "v1.10.0-green", "v1.10.0-rc.1-blue", "nightly", "v2.0.0", "latest-blue", "v0.1-blue"} {
		r.git("tag", tag)
	}
	second := r.write("a", "2").commit()
	r.git("tag", "--annotate", "v1.9.1-blue", "--message", "later, and lower")
	r.git("branch", "v9.0.0-blue")
	remotes := map[string]git.Remote{"http": {URL: serve(t, r).repo()}, "disk": {URL: r.url(), AllowFile: true}}
	for name, remote := range remotes {
		for pattern, want := range map[string]git.Tag{
			`v(?P<version>.*)-(?P<slot>blue|green)`: {Name: "v1.10.0-green", Commit: first, Slot: "green"},
			`v(?P<version>.*)-(?P<slot>blue)`:       {Name: "v1.10.0-rc.1-blue", Commit: first, Slot: "blue"},
			`v(?P<version>1[.]9.*)-blue`:            {Name: "v1.9.1-blue", Commit: second},
			`v.*`:                                   {Name: "v2.0.0", Commit: first},
			`v1[.]10[.]0-(blue|green)`:              {Name: "v1.10.0-green", Commit: first},
			`latest-.*`:                             {},
			`v3`:                                    {},
		} {
			t.Run(name+" "+pattern, func(t *testing.T) {
				if got, err := git.NewestTag(t.Context(), remote, pattern); err != nil || got != want {
					t.Errorf("got %+v, %v; want %+v", got, err, want)
				}
			})
		}
	}
	if _, err := git.NewestTag(t.Context(), remotes["disk"], "("); err == nil {
		t.Error("a pattern that is none was taken")
	}
}
