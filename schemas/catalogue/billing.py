"""The `billing` domain: invoices, payments and refunds."""

from __future__ import annotations

from schemas.catalogue.base import Count, Currency, Data, Money, WireInstant


class InvoiceIssued(Data):
    """An invoice was issued."""

    invoice: str | None = None
    amount: Money | None = None
    currency: Currency | None = None
    due: WireInstant | None = None


class InvoicePaid(Data):
    """An invoice was paid."""

    invoice: str | None = None
    amount: Money | None = None
    currency: Currency | None = None
    method: str | None = None


class InvoiceDisputed(Data):
    """The customer disputes an invoice."""

    invoice: str | None = None
    reason: str | None = None


class PaymentFailed(Data):
    """A payment did not go through."""

    amount: Money | None = None
    currency: Currency | None = None
    method: str | None = None
    reason: str | None = None


class RefundPromised(Data):
    """The company promised money back."""

    amount: Money | None = None
    currency: Currency | None = None
    refund_by: WireInstant | None = None
    reason: str | None = None


class RefundPaid(Data):
    """Money was paid back."""

    amount: Money | None = None
    currency: Currency | None = None
    method: str | None = None


class ReminderSent(Data):
    """The customer was reminded of an invoice."""

    invoice: str | None = None
    level: Count | None = None
    amount: Money | None = None
    currency: Currency | None = None


TYPES: dict[str, type[Data]] = {
    "billing.invoice.issued": InvoiceIssued,
    "billing.invoice.paid": InvoicePaid,
    "billing.invoice.disputed": InvoiceDisputed,
    "billing.payment.failed": PaymentFailed,
    "billing.refund.promised": RefundPromised,
    "billing.refund.paid": RefundPaid,
    "billing.reminder.sent": ReminderSent,
}
