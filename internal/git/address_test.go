package git

import "testing"

func TestSSHAddresses(t *testing.T) {
	for written, want := range map[string]struct{ host, path, user, shown string }{
		"git@example.com:shop/shop.git":          {"example.com:22", "shop/shop.git", "git", "ssh://example.com/shop/shop.git"},
		"me@example.com:2222/shop.git":           {"example.com:22", "2222/shop.git", "me", "ssh://example.com/2222/shop.git"},
		"ssh://git@example.com:2222/shop.git":    {"example.com:2222", "/shop.git", "git", "ssh://example.com:2222/shop.git"},
		"ssh://me:secret@example.com/~/shop.git": {"example.com:22", "~/shop.git", "me", "ssh://example.com/~/shop.git"},
		"ssh://git@[::1]:2222/shop.git":          {"[::1]:2222", "/shop.git", "git", "ssh://[::1]:2222/shop.git"},
	} {
		remote := Remote{URL: written}
		address, err := remote.address()
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		got := struct{ host, path, user, shown string }{hostOf(address), pathOf(remote, address), address.User.Username(), remote.String()}
		if got != want || !remote.UsesSSH() {
			t.Errorf("%s: got %+v, want %+v", written, got, want)
		}
	}
}
