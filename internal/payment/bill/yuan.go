package bill

import (
	"fmt"
	"strconv"
	"strings"

	"hongbao/envelope"
)

// parseYuan reads an amount in yuan, such as 12, 12.3 or 12.34, to the fen.
func parseYuan(s string) (envelope.Fen, error) {
	yuan, cents, point := strings.Cut(s, ".")
	if len(yuan) < 1 || len(yuan) > 12 || point && (len(cents) < 1 || len(cents) > 2) {
		return 0, fmt.Errorf("want an amount in yuan, to the fen, have %.64q", s)
	}
	fen, err := strconv.ParseUint(yuan+(cents + "00")[:2], 10, 63)
	if err != nil {
		return 0, fmt.Errorf("want an amount in yuan, to the fen, have %.64q", s)
	}
	return envelope.Fen(fen), nil
}
