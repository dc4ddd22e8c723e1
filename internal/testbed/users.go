package testbed

import (
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
	"hongbao/loadtest"
)

// tokenLife outlives every run.
const tokenLife = 2 * time.Hour

// Users mints tokens for people of the crowd.
func (bed *Testbed) Users(n int) ([]loadtest.User, error) {
	keys, err := bed.settings.TokenKeys()
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if key.Algorithm != bearer.HS256 {
			continue
		}
		users := make([]loadtest.User, n)
		for i := range users {
			name := envelope.UserID(fmt.Sprintf("load-%05d", i))
			token, err := bearer.Mint(key, name, "", tokenLife, time.Now())
			if err != nil {
				return nil, err
			}
			users[i] = loadtest.User{Name: name, Token: token}
		}
		return users, nil
	}
	return nil, fmt.Errorf("%s has no HS256 token key, so only its issuer can mint tokens", bed.file)
}
