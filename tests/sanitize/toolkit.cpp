#include "toolkit.hpp"

#include <algorithm>
#include <thread>
#include <time.h>

namespace toolkit {

std::atomic<std::uint64_t> overlaps{0};
std::atomic<std::uint64_t> works{0};

void work(int microseconds)
{
    works.fetch_add(1, std::memory_order_relaxed);
    if (microseconds <= 0) return;
    timespec left{0, microseconds * 1000L};
    nanosleep(&left, nullptr);
}

namespace {
void check(bool alone)
{
    if (!alone) overlaps.fetch_add(1, std::memory_order_relaxed);
}
} // namespace

Changing::Changing(Witness& witness) : witness_(witness)
{
    check(witness.changing.fetch_add(1, std::memory_order_relaxed) == 0 && witness.looking.load(std::memory_order_relaxed) == 0);
    ++witness.value;
}

Changing::~Changing()
{
    ++witness_.value;
    witness_.changing.fetch_sub(1, std::memory_order_relaxed);
}

Looking::Looking(Witness& witness) : witness_(witness)
{
    witness.looking.fetch_add(1, std::memory_order_relaxed);
    check(witness.changing.load(std::memory_order_relaxed) == 0);
    check(witness.value % 2 == 0);
}

Looking::~Looking()
{
    check(witness_.value % 2 == 0);
    witness_.looking.fetch_sub(1, std::memory_order_relaxed);
}

namespace {
Witness& library()
{
    static auto* const only = new Witness;
    return *only;
}
} // namespace
} // namespace toolkit

using toolkit::Changing;
using toolkit::Looking;
using toolkit::work;

// ------------------------------------------------------------------------------------------ objects

vtkObjectBase::~vtkObjectBase() = default;
void vtkObjectBase::Register(vtkObjectBase*) { references_.fetch_add(1); }

void vtkObjectBase::UnRegister(vtkObjectBase*)
{
    if (references_.fetch_sub(1) == 1) delete this;
    else vtkGarbageCollector::Collect(this);
}

void vtkObjectBase::collect() {}
void vtkGarbageCollector::Collect(vtkObjectBase* root) { root->collect(); }

vtkObject::~vtkObject() = default;
std::uint64_t vtkObject::GetMTime() { return modified_; }

void vtkObject::Modified()
{
    static std::atomic<std::uint64_t> clock{0};
    modified_ = ++clock;
}

vtkPythonCommand* vtkPythonCommand::make()
{
    auto* const made = new vtkPythonCommand;
    all().push_back(made);
    return made;
}

std::vector<vtkPythonCommand*>& vtkPythonCommand::all()
{
    static auto* const list = new std::vector<vtkPythonCommand*>;
    return *list;
}

vtkPythonCommand::~vtkPythonCommand() { all().erase(std::remove(all().begin(), all().end(), this), all().end()); }

// --------------------------------------------------------------------------------------------- data

unsigned long vtkDataArray::GetActualMemorySize() const { return values.size() * sizeof(long) / 1024; }
vtkAbstractArray* vtkFieldData::GetAbstractArray(int index) { return index ? nullptr : reinterpret_cast<vtkAbstractArray*>(array); }
vtkDataObject* vtkInformation::Get(vtkInformationDataObjectKey* key) { return key == vtkDataObject::DATA_OBJECT() ? data : nullptr; }

vtkInformationDataObjectKey* vtkDataObject::DATA_OBJECT()
{
    static int key;
    return reinterpret_cast<vtkInformationDataObjectKey*>(&key);
}

vtkDataSet::vtkDataSet() : fields(new vtkFieldData), points_(new vtkObject)
{
    fields->array = new vtkDataArray;
    fields->array->values.resize(4096);
    Modified();
}

vtkDataSet::~vtkDataSet()
{
    fields->array->UnRegister(nullptr);
    fields->UnRegister(nullptr);
    points_->UnRegister(nullptr);
}

std::uint64_t vtkDataSet::GetMTime() { return std::max(vtkObject::GetMTime(), points_->GetMTime()); }

void vtkDataSet::GetBounds(double bounds[6])
{
    std::uint64_t const now = GetMTime();
    if (bounds_of_ != now) {
        for (double& bound : bounds_) bound = static_cast<double>(now);
        bounds_of_ = now;
    }
    std::copy(bounds_, bounds_ + 6, bounds);
}

void vtkDataSet::change(int microseconds)
{
    Changing const here(witness);
    vtkObject* const before = points_;
    points_ = new vtkObject;
    before->UnRegister(nullptr);
    points_->Modified();
    work(microseconds);
    ++fields->array->values[7];
    Modified();
}

void vtkDataSet::look(int microseconds)
{
    Looking const here(witness);
    double bounds[6];
    GetBounds(bounds);
    work(microseconds);
    if (fields->array->values[7] < 0) work(1);
}

void vtkDataSet::examine(vtkDataSet* data, int microseconds) { data->change(microseconds); }

vtkPolyData::~vtkPolyData() { delete cells_; }
long long vtkPolyData::GetNumberOfCells() { return 1; }

void vtkPolyData::GetCellBounds(long long, double bounds[6])
{
    if (cells_of_ != GetMTime()) {
        delete cells_;
        cells_ = new double(1);
        cells_of_ = GetMTime();
    }
    bounds[0] = *cells_;
}

// ------------------------------------------------------------------------------------------ filters

vtkAlgorithm::vtkAlgorithm()
{
    output_.data = new vtkPolyData;
}

vtkAlgorithm::~vtkAlgorithm()
{
    for (vtkAlgorithm* const input : inputs_) input->UnRegister(this);
    if (output_.data) output_.data->UnRegister(this);
    if (command) command->UnRegister(this);
    if (reader) reader->UnRegister(this);
}

int vtkAlgorithm::GetNumberOfInputPorts() { return 1; }
int vtkAlgorithm::GetNumberOfInputConnections(int port) { return port == 0 ? static_cast<int>(inputs_.size()) : 0; }
vtkAlgorithm* vtkAlgorithm::GetInputAlgorithm(int, int index) { return inputs_[static_cast<std::size_t>(index)]; }
int vtkAlgorithm::HasExecutive() { return 1; }
int vtkAlgorithm::GetNumberOfOutputPorts() { return 1; }
vtkInformation* vtkAlgorithm::GetOutputInformation(int) { return &output_; }

void vtkAlgorithm::collect()
{
    long seen = witness.value;
    for (vtkAlgorithm const* const input : inputs_) seen += input->witness.value;
    if (output_.data) seen += output_.data->witness.value;
    if (seen < 0) work(1);
}

void vtkAlgorithm::SetInputDataObject(vtkDataSet* data)
{
    auto* const producer = new vtkTrivialProducer(data);
    SetInputConnection(producer);
    producer->UnRegister(nullptr);
}

void vtkAlgorithm::SetInputConnection(vtkAlgorithm* upstream)
{
    Changing const here(witness);
    upstream->Register(this);
    for (vtkAlgorithm* const input : inputs_) input->UnRegister(this);
    inputs_.assign(1, upstream);
    Modified();
}

void vtkAlgorithm::use(vtkDataSet* input, int microseconds)
{
    double bounds[6];
    input->GetBounds(bounds);
    input->look(microseconds);
}

int vtkAlgorithm::Update(int microseconds)
{
    std::vector<vtkAlgorithm*> const inputs = inputs_;
    for (vtkAlgorithm* const input : inputs) input->Update(microseconds / 2);
    {
        Changing const here(witness);
        for (vtkAlgorithm* const input : inputs) {
            if (input->output()) use(input->output(), microseconds);
        }
        if (output()) output()->change(microseconds);
    }
    if (reader) reader->Update(microseconds);
    if (observer) observer(this, observed);
    if (command) {
        vtkPythonCommand* const gone = command;
        command = nullptr;
        gone->UnRegister(this);
    }
    Changing const here(witness);
    return 1;
}

int vtkAlgorithm::Compute(int microseconds)
{
    Changing const here(witness);
    if (output()) output()->change(microseconds);
    return 1;
}

int vtkAlgorithm::compute_on_thread(int microseconds)
{
    std::thread([&] { Compute(microseconds); }).join();
    return 1;
}

int vtkAlgorithm::set(int value)
{
    Changing const here(witness);
    Modified();
    return value;
}

vtkTrivialProducer::vtkTrivialProducer(vtkDataSet* data)
{
    output_.data->UnRegister(this);
    data->Register(this);
    output_.data = data;
}

vtkTrivialProducer::~vtkTrivialProducer() = default;

int vtkTrivialProducer::Update(int microseconds)
{
    Changing const here(witness);
    vtkDataObject* const data = output_.data;
    output_.data = nullptr; // put out anew
    work(microseconds);
    output_.data = data;
    return 1;
}

vtkLookFilter::~vtkLookFilter() = default;
int vtkLookFilter::Update(int microseconds) { return vtkAlgorithm::Update(microseconds); }
void vtkLookFilter::use(vtkDataSet* input, int microseconds) { vtkAlgorithm::use(input, microseconds); }

vtkChangeFilter::~vtkChangeFilter() = default;
int vtkChangeFilter::Update(int microseconds) { return vtkAlgorithm::Update(microseconds); }
void vtkChangeFilter::use(vtkDataSet* input, int microseconds) { input->change(microseconds); }

vtkHDFReader::~vtkHDFReader() { Changing const here(toolkit::library()); }

int vtkHDFReader::Update(int microseconds)
{
    for (int part = 0; part < 2; ++part) {
        if (part && observer) observer(this, observed);
        Changing const here(witness);
        Changing const there(toolkit::library());
        work(microseconds);
    }
    return 1;
}

vtkAlgorithm* vtkExecutive::GetAlgorithm() { return algorithm_; }

int vtkExecutive::Update(int microseconds)
{
    Changing const here(witness);
    return algorithm_->Update(microseconds);
}
