package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator"
	"hongbao/internal/playground"
)

// simulatorCmd serves the provider's side. It reads no settings: the provider
// knows nothing of us but our public key.
type simulatorCmd struct {
	Listen        string        `required:"" help:"host:port."`
	Keys          string        `required:"" help:"Directory of the key files." type:"path"`
	Dir           string        `required:"" help:"Directory of its ledger." type:"path"`
	RefundAfter   time.Duration `default:"100ms" help:"How long a refund is PROCESSING."`
	ConfirmAfter  time.Duration `default:"100ms" help:"How long a payee hesitates before accepting a payout."`
	ManualConfirm bool          `help:"Payees accept on their page (package_info) or not at all."`
	TransferAfter time.Duration `default:"20ms" help:"How long a payout is TRANSFERING, or CANCELING."`
	TransferMin   int64         `default:"1" help:"Fen of the least payout that is not refused."`
	PayoutAccount string        `default:"BASIC" enum:"BASIC,OPERATION" help:"Account that payouts leave from, and are billed under."`
	Certificate   bool          `help:"Sign notifications under the platform certificate, for SDKs that know no public key."`
	BillsAtOnce   bool          `default:"true" negatable:"" help:"Give the bills of a day while it lasts; otherwise from 10:00 of the next, as the real provider does."`
}

func (s simulatorCmd) Run(ctx context.Context) error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	files, err := simulator.GenerateKeys(s.Keys)
	if err != nil {
		return err
	}
	merchant, err := apiv3.LoadPublicKey(files.MerchantPublic)
	if err != nil {
		return err
	}
	platform, err := apiv3.LoadPrivateKey(files.PlatformPrivate)
	if err != nil {
		return err
	}
	apiv3, err := apiv3.LoadAPIv3Key(files.APIv3)
	if err != nil {
		return err
	}
	sim, err := simulator.New(simulator.Config{
		MerchantID: playground.SimulatedMerchant, AppID: playground.SimulatedApp, MerchantSerial: playground.SimulatedMerchantSerial, MerchantKey: merchant,
		PlatformSerial: s.platformSerial(), PlatformKey: platform, APIv3Key: apiv3,
		LedgerFile: filepath.Join(s.Dir, "ledger.jsonl"), PublicURL: "http://" + s.Listen,
		RefundAfter: s.RefundAfter, ConfirmAfter: s.confirmAfter(), TransferAfter: s.TransferAfter, TransferMinFen: s.TransferMin,
		PayoutAccount: s.PayoutAccount, BillsAtOnce: s.BillsAtOnce,
		Now: time.Now, Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return err
	}
	return sim.Run(ctx, listener)
}

// platformSerial is empty where the simulator is to use its certificate's.
func (s simulatorCmd) platformSerial() string {
	if s.Certificate {
		return ""
	}
	return playground.SimulatedPlatformSerial
}

func (s simulatorCmd) confirmAfter() time.Duration {
	if s.ManualConfirm {
		return simulator.Never
	}
	return s.ConfirmAfter
}
